package groups

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// ClassicState is the state of a group whose clients assign the partitions. The values are stored.
type ClassicState string

const (
	Empty      ClassicState = ""  // it has no members
	Preparing  ClassicState = "P" // members join; who was one has to join again
	Completing ClassicState = "C" // the leader has yet to assign the partitions
	Stable     ClassicState = "S"
)

// Classic is a group of Kafka's own protocol. Times are Unix ms, durations ms.
type Classic struct {
	State        ClassicState
	Generation   int64 // of the members that have their part, or wait for it
	ProtocolType string
	Protocol     string // that the members have in common
	Leader       string // member id
	Deadline     int64  // of Preparing: who has not joined then is dropped; of Completing: the members have to join again
	Began        int64  // of Preparing: when it began
	WasEmpty     bool   // of Preparing: there were no members before
	Roster       string // id of the list of the generation's members
}

// ClassicMember is a member of such a group, as it has joined last.
type ClassicMember struct {
	ID         string
	Instance   string // of a static member; "": it is dynamic
	ClientID   string
	ClientHost string
	Session    int64 // timeout
	Rebalance  int64 // timeout
	Type       string
	Protocols  []Protocol // in its order of preference
	Joins      int64      // the generation that it has joined for
}

// Protocol is a way to assign partitions that a member supports.
type Protocol struct {
	Name     string
	Metadata string // for the leader
}

// Bounds of the time in which members of a group join, in ms.
const (
	// Quiet is the time without a new member after which a group that is complete goes on.
	Quiet = 100
	// FirstDelay is how long a group waits at most for the members of its first generation.
	FirstDelay = 3000
)

// Prepare begins a rebalance: all members have to join again.
func (c Classic) Prepare(now, timeout int64) Classic {
	c.WasEmpty = c.State == Empty
	c.State, c.Began, c.Deadline = Preparing, now, now+timeout
	return c
}

// Next is the generation that joins now are for.
func (c Classic) Next() int64 { return c.Generation + 1 }

// Completion is what Complete makes of a group.
type Completion struct {
	Group   Classic
	Members []*ClassicMember // of the new generation, by id
	Dropped []*ClassicMember // did not come in time, or have died
}

// Complete ends a rebalance if it is time: all members that live have joined, and quiet, the time since
// the last of them came, is long enough. After the deadline it does not wait for others any more. alive says
// whether a member was heard of within its session. roster is the id of the new list of members.
func (c Classic) Complete(members []*ClassicMember, alive func(*ClassicMember) bool, now, quiet int64, roster string) (Completion, bool) {
	if c.State != Preparing {
		return Completion{}, false
	}
	late := now >= c.Deadline
	var out Completion
	missing := 0
	for _, m := range members {
		switch {
		case m.Joins == c.Next():
			out.Members = append(out.Members, m)
		case late || c.WasEmpty || !alive(m): // what an empty group has of members is left over
			out.Dropped = append(out.Dropped, m)
		default:
			missing++
		}
	}
	wait := quiet < Quiet && (!c.WasEmpty || now-c.Began < FirstDelay)
	if missing > 0 || wait && !late {
		return Completion{}, false
	}
	next := Classic{Generation: c.Next(), ProtocolType: c.ProtocolType, Leader: c.Leader, Roster: roster}
	out.Members, out.Dropped = fitting(out.Members, c.Leader, out.Dropped)
	if len(out.Members) > 0 {
		protocol, _ := Vote(out.Members)
		next.State, next.Protocol, next.ProtocolType = Completing, protocol, out.Members[0].Type
		if !slices.ContainsFunc(out.Members, func(m *ClassicMember) bool { return m.ID == next.Leader }) {
			next.Leader = out.Members[0].ID
		}
		next.Deadline = now + MaxRebalance(out.Members)
	} else {
		next.Leader = ""
	}
	out.Group = next
	return out, true
}

// fitting drops members that do not fit to the ones before them. A member is told so when it joins; but two that
// do not fit may join at the same time. The leader stays.
func fitting(members []*ClassicMember, leader string, dropped []*ClassicMember) (fit, others []*ClassicMember) {
	i := slices.IndexFunc(members, func(m *ClassicMember) bool { return m.ID == leader })
	if i > 0 {
		members[0], members[i] = members[i], members[0]
	}
	for _, m := range members {
		if m.Fits(fit) {
			fit = append(fit, m)
		} else {
			dropped = append(dropped, m)
		}
	}
	slices.SortFunc(fit, func(a, b *ClassicMember) int { return cmp.Compare(a.ID, b.ID) })
	return fit, dropped
}

// MaxRebalance is the longest rebalance timeout of members.
func MaxRebalance(members []*ClassicMember) (most int64) {
	for _, m := range members {
		most = max(most, m.Rebalance)
	}
	return most
}

// Vote is the protocol that most members like best, of those that all of them support.
func Vote(members []*ClassicMember) (string, bool) {
	common := Common(members)
	votes := map[string]int{}
	for _, m := range members {
		for _, p := range m.Protocols {
			if slices.Contains(common, p.Name) {
				votes[p.Name]++
				break
			}
		}
	}
	best, ok := "", false
	for _, name := range common { // in the order of the first member, so that all count alike
		if !ok || votes[name] > votes[best] {
			best, ok = name, true
		}
	}
	return best, ok
}

// Common are the protocols that all members support, in the order of the first one.
func Common(members []*ClassicMember) (names []string) {
	if len(members) == 0 {
		return nil
	}
	for _, p := range members[0].Protocols {
		if !slices.ContainsFunc(members[1:], func(m *ClassicMember) bool { return !m.Supports(p.Name) }) {
			names = append(names, p.Name)
		}
	}
	return names
}

// Supports reports whether the member has the protocol.
func (m *ClassicMember) Supports(protocol string) bool {
	return slices.ContainsFunc(m.Protocols, func(p Protocol) bool { return p.Name == protocol })
}

// Metadata is what the member says to the leader under a protocol.
func (m *ClassicMember) Metadata(protocol string) string {
	for _, p := range m.Protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return ""
}

// Fits reports whether a member can be in one group with others: they have the protocol type, and a protocol
// that all support.
func (m *ClassicMember) Fits(others []*ClassicMember) bool {
	all := []*ClassicMember{m}
	for _, o := range others {
		if o.ID == m.ID || m.Instance != "" && o.Instance == m.Instance {
			continue
		}
		if o.Type != m.Type {
			return false
		}
		all = append(all, o)
	}
	return m.Type != "" && len(Common(all)) > 0
}

// Same reports whether a member joins again with what it has joined with before.
func (m *ClassicMember) Same(o *ClassicMember) bool {
	return m.Type == o.Type && slices.Equal(m.Protocols, o.Protocols)
}

// Encode is the member's state without its id.
func (m *ClassicMember) Encode() string {
	w := writer{encodingVersion}
	for _, s := range []string{m.Instance, m.ClientID, m.ClientHost, m.Type} {
		w.text(s)
	}
	w.number(m.Session)
	w.number(m.Rebalance)
	w.number(int64(len(m.Protocols)))
	for _, p := range m.Protocols {
		w.text(p.Name)
		w.text(p.Metadata)
	}
	return string(w)
}

// DecodeClassicMember reads what Encode has written.
func DecodeClassicMember(text string) (*ClassicMember, error) {
	r := reader{rest: text}
	if version := r.byte(); version != encodingVersion {
		return nil, errEncoding
	}
	m := &ClassicMember{Instance: r.text(), ClientID: r.text(), ClientHost: r.text(), Type: r.text(), Session: r.number(), Rebalance: r.number()}
	for range r.count() {
		m.Protocols = append(m.Protocols, Protocol{r.text(), r.text()})
	}
	if r.bad || r.rest != "" {
		return nil, errEncoding
	}
	return m, nil
}

// Subscription are the topics in the metadata of a consumer, which is Kafka's ConsumerProtocolSubscription: a
// version (int16), and an array of strings first. What cannot be read has none.
func Subscription(metadata string) (topics []string) {
	b := []byte(metadata)
	if len(b) < 6 {
		return nil
	}
	n := int(int32(binary.BigEndian.Uint32(b[2:])))
	b = b[6:]
	for range n {
		if len(b) < 2 {
			return nil
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if size < 0 || size > len(b)-2 {
			return nil
		}
		topics = append(topics, string(b[2:2+size]))
		b = b[2+size:]
	}
	return topics
}

// Assigned are the partitions in what a leader gave a consumer, by topic. It is Kafka's ConsumerProtocolAssignment: a
// version (int16), and an array of topics, each with an array of partitions (int32). What cannot be read has none.
func Assigned(assignment string) map[string][]int {
	b := []byte(assignment)
	number := func() int {
		if len(b) < 4 {
			b = nil
			return 0
		}
		n := int(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		return n
	}
	if len(b) < 2 {
		return nil
	}
	b = b[2:]
	out := map[string][]int{}
	for topics := number(); topics > 0; topics-- {
		if len(b) < 2 {
			return nil
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if b = b[2:]; size < 0 || size > len(b) {
			return nil
		}
		topic := string(b[:size])
		b = b[size:]
		n := number()
		if n < 0 || n > len(b)/4 {
			return nil
		}
		for range n {
			out[topic] = append(out[topic], number())
		}
	}
	return out
}
