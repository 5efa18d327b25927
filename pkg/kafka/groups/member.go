package groups

import (
	"encoding/binary"
	"errors"
	"slices"
)

// None is the offset where there is none.
const None = -1

// UnknownSegment is the segment of a position whose segment is not known.
const UnknownSegment = -1

// Reset says where a member begins to read a partition without a committed offset.
type Reset string

const (
	ResetEarliest Reset = "earliest"
	ResetLatest   Reset = "latest"
	ResetNone     Reset = "none" // not at all: that is an error
)

// Options are settings of a member, which hold as long as it is one. Times are in ms.
type Options struct {
	Auto     bool // offsets are committed automatically
	Interval int64
	Reset    Reset
	Timeout  int64 // of the session
}

// Member is a member of a group that we assign. Times are Unix ms.
type Member struct {
	Name        string
	Incarnation string // unique: a member that comes back after it was taken out has another one
	Generation  int64  // of the group when the member's state was given to it last
	Options
	Topics     []string // that it reads, sorted
	Seen       int64    // its last request
	CommitTime int64    // its last automatic commit
	Look       int64    // when it has to look at the group again
	Call       string   // id of its request that may give out messages; "": none has begun
	Lost       []Part   // partitions taken from it that its last answer had messages of
	Runs       []Run    // what it has, by topic
	Back       int64    // until then it may keep partitions that are to be others'; 0: it has none
}

// Part is a partition by the name of its topic.
type Part struct {
	Topic     string
	Partition int
}

// Run is what a member has of a topic: partitions that follow each other.
type Run struct {
	Topic  string
	ID     int64 // of the topic
	First  int   // partition
	Of     int   // partitions that the topic had when they were assigned
	Places []Place
}

// Place is where a member is in a partition.
type Place struct {
	Claim     int64 // generation since which it has the partition
	Position  int64 // what is given out next; None: not known yet, see Start
	Segment   int64 // that holds the position, or UnknownSegment
	Confirmed int64 // position before the last answer, if the member has not called since; else None
	Committed int64 // what the member has committed last by itself, or what was committed when it got the partition; None: not known
	Start     int64 // while there is no position: the offset that was committed when the member got the partition, or None
	New       bool  // while there is no position: without a committed offset the member begins at the log's start
}

// Received is the position up to which the member is known to have had its messages; None if it has
// not begun.
func (p Place) Received() int64 {
	if p.Confirmed != None {
		return p.Confirmed
	}
	return p.Position
}

// Expired reports whether the member's session is over.
func (m *Member) Expired(now int64) bool { return now-m.Seen > m.Timeout }

// Place finds a partition of the member by the topic's id; nil: it does not have it.
func (m *Member) Place(topic int64, partition int) *Place {
	for i := range m.Runs {
		r := &m.Runs[i]
		if n := partition - r.First; r.ID == topic && n >= 0 && n < len(r.Places) {
			return &r.Places[n]
		}
	}
	return nil
}

// Clone is a copy that shares nothing that is changed in place.
func (m *Member) Clone() *Member {
	c := *m
	c.Lost = slices.Clone(m.Lost)
	c.Runs = slices.Clone(m.Runs)
	for i := range c.Runs {
		c.Runs[i].Places = slices.Clone(m.Runs[i].Places)
	}
	return &c
}

// Claim is the right of a member to commit a partition's offset, since a generation. Claims of later
// generations are greater, bytewise.
func Claim(generation int64, incarnation string) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(generation))) + incarnation
}

// ClaimOf is the member's claim of one of its places.
func (m *Member) ClaimOf(p *Place) string { return Claim(p.Claim, m.Incarnation) }

// Encode is the ask as bytes.
func (a *Ask) Encode() string {
	w := writer{encodingVersion}
	w.text(a.ID)
	w.number(a.At)
	w.text(a.Call)
	w.options(a.Options)
	w.texts(a.Topics)
	return string(w)
}

// DecodeAsk reads what Encode has written.
func DecodeAsk(text string) (*Ask, error) {
	r := reader{rest: text}
	if version := r.byte(); version != encodingVersion {
		return nil, errEncoding
	}
	a := &Ask{ID: r.text(), At: r.number(), Call: r.text(), Options: r.options(), Topics: r.texts()}
	if r.bad || r.rest != "" {
		return nil, errEncoding
	}
	return a, nil
}

// encodingVersion is the first byte of an encoded member.
const encodingVersion = 1

// Encode is the member's state without its name, incarnation, call and Back, which the store keeps beside it.
func (m *Member) Encode() string {
	w := writer{encodingVersion}
	w.options(m.Options)
	for _, n := range []int64{m.Generation, m.Seen, m.CommitTime, m.Look} {
		w.number(n)
	}
	w.texts(m.Topics)
	w.number(int64(len(m.Lost)))
	for _, p := range m.Lost {
		w.text(p.Topic)
		w.number(int64(p.Partition))
	}
	w.number(int64(len(m.Runs)))
	for _, r := range m.Runs {
		w.text(r.Topic)
		for _, n := range []int64{r.ID, int64(r.First), int64(r.Of), int64(len(r.Places))} {
			w.number(n)
		}
		for _, p := range r.Places {
			w.number(m.Generation - p.Claim)
			w.number(p.Position)
			if p.Position == None {
				w.number(p.Start)
				w.flag(p.New)
				continue
			}
			w.before(p.Position, p.Segment)
			w.before(p.Position, p.Confirmed)
			w.flag(p.Committed != None)
			w.number(p.Position - p.Committed)
		}
	}
	return string(w)
}

var errEncoding = errors.New("groups: the state of a member cannot be read")

// DecodeMember reads what Encode has written.
func DecodeMember(text string) (*Member, error) {
	r := reader{rest: text}
	if version := r.byte(); version != encodingVersion {
		return nil, errEncoding
	}
	m := &Member{Options: r.options()}
	for _, n := range []*int64{&m.Generation, &m.Seen, &m.CommitTime, &m.Look} {
		*n = r.number()
	}
	m.Topics = r.texts()
	for range r.count() {
		m.Lost = append(m.Lost, Part{r.text(), int(r.number())})
	}
	for range r.count() {
		run := Run{Topic: r.text(), ID: r.number(), First: int(r.number()), Of: int(r.number())}
		for range r.count() {
			p := Place{Claim: m.Generation - r.number(), Position: r.number(), Segment: UnknownSegment, Confirmed: None, Committed: None, Start: None}
			if p.Position == None {
				p.Start, p.New = r.number(), r.flag()
				p.Committed = p.Start
			} else {
				p.Segment, p.Confirmed = r.before(p.Position), r.before(p.Position)
				known, behind := r.flag(), r.number()
				if known {
					p.Committed = p.Position - behind
				}
			}
			run.Places = append(run.Places, p)
		}
		m.Runs = append(m.Runs, run)
	}
	if r.bad || r.rest != "" {
		return nil, errEncoding
	}
	return m, nil
}
