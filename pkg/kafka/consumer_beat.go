package kafka

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// Codes that only calls about groups of the consumer protocol return.
const (
	CodeFencedMemberEpoch        Code = 110
	CodeUnreleasedInstance       Code = 111
	CodeUnsupportedAssignor      Code = 112
	CodeStaleMemberEpoch         Code = 113
	CodeInvalidRegularExpression Code = 128
)

// ConsumerHeartbeat is Kafka's ConsumerGroupHeartbeat.
type ConsumerHeartbeat struct {
	Group, Member        string
	Instance             string // of a static member; "": dynamic
	Rack                 string // "": unchanged
	ClientID, ClientHost string
	Epoch                int32         // 0: it joins; -1: it leaves; -2: a static member leaves for a while
	RebalanceTimeout     time.Duration // negative: unchanged
	Topics               []string      // that it subscribes to; nil: unchanged
	Regex                *string       // that the names of further topics match; "": none; nil: unchanged
	Assignor             *string       // nil: unchanged
	Owned                []IDPartitions
	Owns                 bool // Owned is said

	MayRead func(topic string) bool          // of topics that Regex matches
	IDOf    func(topicNumber int64) [16]byte // as the client knows topics
}

// IDPartitions are partitions of a topic.
type IDPartitions struct {
	ID         [16]byte
	Partitions []int
}

// ConsumerAnswer is the answer to a ConsumerHeartbeat.
type ConsumerAnswer struct {
	Member   string
	Epoch    int32
	Interval time.Duration  // of heartbeats
	Assigned []IDPartitions // what the member has from now on, by topic; nil: what it has been told last
}

func checkConsumer(r *ConsumerHeartbeat) error {
	joins := r.Epoch == groups.JoinEpoch
	switch {
	case checkName("group", r.Group) != nil:
		return groupError(CodeInvalidGroupID, "illegal group id")
	case checkName("member", r.Member) != nil:
		return groupError(CodeInvalidRequest, "illegal member id")
	case r.Instance != "" && checkName("instance", r.Instance) != nil:
		return groupError(CodeInvalidRequest, "illegal group instance id")
	case len(r.Rack) > maxName:
		return groupError(CodeInvalidRequest, "illegal rack id")
	case r.Epoch < groups.LeftEpoch:
		return groupError(CodeInvalidRequest, "illegal member epoch")
	case r.Epoch == groups.LeftEpoch && r.Instance == "":
		return groupError(CodeInvalidRequest, "only a static member can leave for a while")
	case joins && r.RebalanceTimeout < 0, r.RebalanceTimeout == 0:
		return groupError(CodeInvalidRequest, "a member that joins needs a rebalance timeout")
	case r.RebalanceTimeout > maxRebalanceTimeout:
		return groupError(CodeInvalidRequest, "the rebalance timeout must be at most %v", maxRebalanceTimeout)
	case joins && (!r.Owns || len(r.Owned) > 0):
		return groupError(CodeInvalidRequest, "a member that joins must own no partitions, and say so")
	case joins && r.Topics == nil && r.Regex == nil:
		return groupError(CodeInvalidRequest, "a member that joins must subscribe to topics")
	case r.Assignor != nil && *r.Assignor != "" && !groups.IsAssignor(*r.Assignor):
		return groupError(CodeUnsupportedAssignor, "the assignors are %s and %s", groups.UniformAssignor, groups.RangeAssignor)
	}
	size := 0
	for _, name := range r.Topics {
		size += len(name)
	}
	if r.Regex != nil {
		size += len(*r.Regex)
		if _, err := wholeName(*r.Regex); err != nil {
			return err
		}
	}
	if size > maxMemberMetadataBytes {
		return groupError(CodeInvalidRequest, "a member's subscription takes more than %d bytes", maxMemberMetadataBytes)
	}
	return nil
}

// maxExpression bounds an expression: what one is compiled to may be a thousand times as large.
const maxExpression = 1000

// wholeName compiles an expression that names of topics are to match.
func wholeName(expression string) (*regexp.Regexp, error) {
	if len(expression) > maxExpression {
		return nil, groupError(CodeInvalidRegularExpression, "the expression has more than %d bytes", maxExpression)
	}
	re, err := regexp.Compile("^(?:" + expression + ")$")
	if err != nil {
		return nil, errExpression(err)
	}
	return re, nil
}

// ConsumerHeartbeat is how a member of the consumer protocol joins a group, says that it is there and what it has, learns what
// it is to have, and leaves.
func (e *Engine) ConsumerHeartbeat(ctx context.Context, c *Cluster, r ConsumerHeartbeat) (ConsumerAnswer, error) {
	if err := checkConsumer(&r); err != nil {
		return ConsumerAnswer{}, err
	}
	if e.life.Err() != nil {
		return ConsumerAnswer{}, groupError(CodeNotCoordinator, "the server is going down")
	}
	var out ConsumerAnswer
	err := e.retry.Do(ctx, func(ctx context.Context) error {
		room, leave, err := e.room(ctx, c.ID, r.Group)
		if err != nil {
			return err
		}
		defer leave()
		if err := room.load(ctx, classicAge); err != nil {
			return err
		}
		out, err = room.heartbeat(ctx, c, &r)
		var refused *GroupError
		if errors.As(err, &refused) { // what is known may be old
			if err := room.load(ctx, 0); err != nil {
				return err
			}
			out, err = room.heartbeat(ctx, c, &r)
		}
		return err
	})
	return out, err
}

// consumerCodes are the codes of what package groups refuses.
var consumerCodes = map[error]Code{
	groups.ErrUnknownConsumer: CodeUnknownMember, groups.ErrFencedEpoch: CodeFencedMemberEpoch,
	groups.ErrFencedInstance: CodeFencedInstance, groups.ErrUnreleasedInstance: CodeUnreleasedInstance,
}

func consumerError(err error) error {
	if code, ok := consumerCodes[err]; ok {
		return groupError(code, "%s", err)
	}
	return err
}

// heartbeat carries out a heartbeat by what is known of the group.
func (r *room) heartbeat(ctx context.Context, c *Cluster, req *ConsumerHeartbeat) (out ConsumerAnswer, err error) {
	if len(r.consumers.Members) == 0 {
		if req.Epoch != groups.JoinEpoch {
			return out, consumerError(groups.ErrUnknownConsumer)
		}
		if err := r.admitConsumers(ctx, c); err != nil {
			return out, err
		}
	}
	b := r.beatOf(req)
	if req.Epoch < groups.JoinEpoch {
		return r.goodbye(ctx, b)
	}
	if err := r.subscribe(ctx, c, req, b); err != nil {
		return out, err
	}
	next := r.consumers.Clone()
	if lost := r.lost(req.Member); len(lost) > 0 {
		next.Leave(lost...)
	}
	topics, err := r.named(ctx, c, slices.Concat(next.Reads(), b.Names, b.Matched))
	if err != nil {
		return out, err
	}
	var had groups.Parts
	if m := next.Find(req.Member); m != nil {
		had = m.Owned
	}
	now := r.e.nowMs()
	me, err := next.Beat(b, topics, now)
	if err != nil {
		return out, consumerError(err)
	}
	late := slices.Contains(next.Late(now), req.Member)
	if late { // it has not given back what it was asked for in time
		next.Leave(req.Member)
	}
	if next.Encode() != r.record.attrs.Get(consumersBody).Str() || !isConsumers(r.record.attrs) {
		if err := r.writeConsumers(ctx, next); err != nil {
			return out, err
		}
	}
	if late {
		return out, consumerError(groups.ErrUnknownConsumer)
	}
	r.beats[me.ID] = r.e.now()
	if err := r.beat(ctx); err != nil {
		return out, err
	}
	out = ConsumerAnswer{Member: me.ID, Epoch: int32(me.Epoch), Interval: intervalOf(r.record.attrs)}
	full := b.Subscribes && b.Times && b.Owns
	if req.Epoch == groups.JoinEpoch || full || !me.Owned.Equal(had) {
		out.Assigned = assignedTo(me, req.IDOf)
	}
	return out, nil
}

// beatOf is a heartbeat as package groups knows it.
func (r *room) beatOf(req *ConsumerHeartbeat) *groups.Beat {
	b := &groups.Beat{
		Consumer: groups.Consumer{
			ID: req.Member, Instance: req.Instance, Rack: req.Rack, ClientID: req.ClientID, ClientHost: req.ClientHost, Epoch: int64(req.Epoch),
			Rebalance: req.RebalanceTimeout.Milliseconds(), Owned: groups.Parts{},
		},
		Asks: req.Assignor != nil, Times: req.RebalanceTimeout > 0, Owns: req.Owns,
	}
	if len(b.ClientID) > maxName {
		b.ClientID = b.ClientID[:maxName]
	}
	if b.Asks {
		b.Assignor = *req.Assignor
	}
	// The client's ids of topics are matched with those that it may have: what else it names, it does not have from us.
	ids := map[[16]byte]int64{}
	for _, t := range r.consumers.Topics {
		ids[req.IDOf(t.ID)] = t.ID
	}
	if m := r.consumers.Find(req.Member); m != nil {
		for _, parts := range []groups.Parts{m.Owned, m.Revoking} {
			for topic := range parts {
				ids[req.IDOf(topic)] = topic
			}
		}
	}
	for _, o := range req.Owned {
		if topic, ok := ids[o.ID]; ok && len(o.Partitions) > 0 {
			list := append(slices.Clone(b.Owned[topic]), o.Partitions...)
			slices.Sort(list)
			b.Owned[topic] = slices.Compact(list)
		}
	}
	return b
}

// subscribe fills in what the member subscribes to. Topics that its expression matches are looked up each time.
func (r *room) subscribe(ctx context.Context, c *Cluster, req *ConsumerHeartbeat, b *groups.Beat) (err error) {
	m := r.consumers.Find(req.Member)
	if m == nil {
		m = r.consumers.FindInstance(req.Instance)
	}
	if m == nil {
		m = &groups.Consumer{}
	}
	b.Names, b.Regex = m.Names, m.Regex
	if req.Topics != nil {
		b.Names = slices.Sorted(slices.Values(req.Topics))
		b.Names = slices.Compact(b.Names)
	}
	if req.Regex != nil {
		b.Regex = *req.Regex
	}
	b.Subscribes = req.Topics != nil || b.Regex != "" || m.Regex != ""
	b.Matched, err = r.matching(ctx, c, b.Regex, req.MayRead)
	return err
}

// goodbye lets a member leave.
func (r *room) goodbye(ctx context.Context, b *groups.Beat) (ConsumerAnswer, error) {
	out := ConsumerAnswer{Member: b.ID, Epoch: int32(b.Epoch)}
	next := r.consumers.Clone()
	m, err := next.Leaver(b)
	if err != nil {
		return out, consumerError(err)
	}
	if b.Epoch == groups.LeftEpoch {
		next.Pause(m)
		r.beats[m.ID] = r.e.now()
	} else {
		next.Leave(m.ID)
	}
	if err := r.writeConsumers(ctx, next); err != nil {
		return out, err
	}
	return out, r.beat(ctx)
}

// assignedTo is what a member is told that it has.
func assignedTo(m *groups.Consumer, idOf func(int64) [16]byte) []IDPartitions {
	out := []IDPartitions{}
	for topic, list := range m.Owned {
		out = append(out, IDPartitions{idOf(topic), list})
	}
	slices.SortFunc(out, func(a, b IDPartitions) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return out
}

// Times of groups of the consumer protocol, as Kafka has them.
const (
	DefaultConsumerSession  = 45 * time.Second
	DefaultConsumerInterval = 5 * time.Second
)

// Attributes of a group's item: settings, in ms.
const (
	groupSession  = "ss"
	groupInterval = "si"
)

func sessionOf(as store.Attrs) time.Duration {
	if ms := as.Get(groupSession).Num(); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return DefaultConsumerSession
}

func intervalOf(as store.Attrs) time.Duration {
	if ms := as.Get(groupInterval).Num(); ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return DefaultConsumerInterval
}
