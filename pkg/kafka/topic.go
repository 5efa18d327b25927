package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a topic's record.
const (
	topicID         = "id"
	topicPartitions = "parts"
	topicRetention  = "ret"  // ms; 0: for ever
	topicBytes      = "size" // of a partition; 0: no limit
	topicMaxMessage = "max"
	topicCompact    = "compact" // there if so: compactOnly or compactDelete
	topicCreated    = "created" // Unix ms
	topicSettings   = "set"     // as TopicOptions has them
)

const (
	compactOnly   = 1
	compactDelete = 2
)

// Limits and defaults of topics.
const (
	DefaultRetention       = 7 * 24 * time.Hour
	DefaultMaxMessageBytes = 1 << 20
	MaxMessageBytes        = 8 << 20
	maxTopicName           = 249
)

// TopicOptions are a topic's settings.
type TopicOptions struct {
	Partitions      int           // 0: 1
	Retention       time.Duration // how long messages are kept; 0: DefaultRetention, negative: for ever
	RetentionBytes  int64         // size of a partition beyond which the oldest messages go; 0: no limit
	MaxMessageBytes int           // bytes of a message with its overhead; 0: DefaultMaxMessageBytes
	Compact         bool          // keep the last message of each key, whatever its age
	CompactDelete   bool          // a compacted topic's messages also go by retention time and size

	// Settings are further settings of Kafka, which are kept for its clients: lines of name=value, see Setting and
	// SetSetting. Those that compaction goes by act; the others mean nothing here.
	Settings string
}

// Setting is the value of one of the Settings; false: there is none.
func (o *TopicOptions) Setting(name string) (string, bool) {
	for line := range strings.Lines(o.Settings) {
		if value, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// SetSetting changes one of the Settings; nil takes it away. The value has no line breaks.
func (o *TopicOptions) SetSetting(name string, value *string) {
	var lines []string
	for line := range strings.Lines(o.Settings) {
		if !strings.HasPrefix(line, name+"=") {
			lines = append(lines, line)
		}
	}
	if value != nil {
		lines = append(lines, name+"="+*value+"\n")
	}
	slices.Sort(lines)
	o.Settings = strings.Join(lines, "")
}

// CleanupPolicy is what Kafka calls cleanup.policy: delete, compact or "compact,delete".
func (o *TopicOptions) CleanupPolicy() string {
	switch {
	case o.Compact && o.CompactDelete:
		return "compact,delete"
	case o.Compact:
		return "compact"
	}
	return "delete"
}

// SetCleanupPolicy takes a policy as CleanupPolicy gives it, the names in any order. The error is of
// kind Invalid.
func (o *TopicOptions) SetCleanupPolicy(policy string) error {
	compact, expire := false, false
	for name := range strings.SplitSeq(policy, ",") {
		switch strings.TrimSpace(name) {
		case "compact":
			compact = true
		case "delete":
			expire = true
		default:
			return refuse(Invalid, `cleanup policy must be "delete", "compact" or "compact,delete"`)
		}
	}
	o.Compact, o.CompactDelete = compact, compact && expire
	return nil
}

// expires reports whether messages go by their age, or by the size of a partition.
func (o *TopicOptions) expires() bool { return !o.Compact || o.CompactDelete }

// Topic is a topic's record.
type Topic struct {
	Name string
	TopicOptions
	CreatedAt time.Time

	cluster string
	id      int64 // unique in the cluster, also among topics deleted
}

// Number tells the topic from all others that the cluster has or has had.
func (t *Topic) Number() int64 { return t.id }

func topicKey(cluster, name string) store.Key {
	return store.Key{Partition: clusterPartition(cluster), Sort: "t" + name}
}

// debtKey is a note that a topic's partitions are to be deleted.
func debtKey(cluster string, id int64) store.Key {
	return store.Key{Partition: clusterPartition(cluster), Sort: "r" + strconv.FormatInt(id, 10)}
}

// ValidTopicName reports whether Kafka allows the name.
func ValidTopicName(name string) bool {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.') {
			return false
		}
	}
	return name != "" && name != "." && name != ".." && len(name) <= maxTopicName
}

func (o *TopicOptions) check() error {
	if o.Partitions == 0 {
		o.Partitions = 1
	}
	if o.Retention == 0 {
		o.Retention = DefaultRetention
	}
	if o.MaxMessageBytes == 0 {
		o.MaxMessageBytes = DefaultMaxMessageBytes
	}
	switch {
	case o.Partitions < 1:
		return refuse(Invalid, "number of partitions must be positive")
	case o.RetentionBytes < 0:
		return refuse(Invalid, "retention size must not be negative")
	case o.MaxMessageBytes < 1 || o.MaxMessageBytes > MaxMessageBytes:
		return refuse(Invalid, "max message size must be from 1 to %d bytes", MaxMessageBytes)
	case o.CompactDelete && !o.Compact:
		return refuse(Invalid, "only a compacted topic can be compacted and expire")
	case o.Retention > 0 && o.Retention < time.Millisecond:
		return refuse(Invalid, "retention time is shorter than a millisecond")
	}
	return nil
}

func (t *Topic) attrs() store.Attrs {
	attrs := []store.Attr{
		{Name: topicID, Value: store.Int(t.id)},
		{Name: topicPartitions, Value: store.Int(int64(t.Partitions))},
		{Name: topicRetention, Value: store.Int(max(0, t.Retention.Milliseconds()))},
		{Name: topicBytes, Value: store.Int(t.RetentionBytes)},
		{Name: topicMaxMessage, Value: store.Int(int64(t.MaxMessageBytes))},
		{Name: topicCreated, Value: store.Int(t.CreatedAt.UnixMilli())},
	}
	if t.Compact {
		how := int64(compactOnly)
		if t.CompactDelete {
			how = compactDelete
		}
		attrs = append(attrs, store.Attr{Name: topicCompact, Value: store.Int(how)})
	}
	if t.Settings != "" {
		attrs = append(attrs, store.Attr{Name: topicSettings, Value: store.Bytes(t.Settings)})
	}
	return store.NewAttrs(attrs...)
}

func topicOf(cluster, name string, as store.Attrs) *Topic {
	t := &Topic{
		Name: name, cluster: cluster, id: as.Get(topicID).Num(),
		CreatedAt: time.UnixMilli(as.Get(topicCreated).Num()),
		TopicOptions: TopicOptions{
			Partitions:      int(as.Get(topicPartitions).Num()),
			Retention:       time.Duration(as.Get(topicRetention).Num()) * time.Millisecond,
			RetentionBytes:  as.Get(topicBytes).Num(),
			MaxMessageBytes: int(as.Get(topicMaxMessage).Num()),
			Compact:         as.Has(topicCompact),
			CompactDelete:   as.Get(topicCompact).Num() == compactDelete,
			Settings:        as.Get(topicSettings).Str(),
		},
	}
	if t.Retention == 0 {
		t.Retention = -1
	}
	return t
}

// log names a partition's log: its partition in the store and its key in the stream.
func (t *Topic) log(partition int) string {
	return "l" + t.cluster + "/" + strconv.FormatInt(t.id, 36) + "/" + strconv.Itoa(partition)
}

// keepMs is how long messages produced now are kept, 0 for ever.
func (t *Topic) keepMs() int64 {
	if !t.expires() {
		return 0
	}
	return max(0, t.Retention.Milliseconds())
}

// CreateTopic makes a topic. The error is of kind Exists if there is one with
// that name, and Invalid if the cluster would have too many partitions.
func (e *Engine) CreateTopic(ctx context.Context, c *Cluster, name string, o TopicOptions) (*Topic, error) {
	if !ValidTopicName(name) {
		return nil, refuse(Invalid, "illegal topic name %q: letters, digits, '.', '_' and '-', at most %d", name, maxTopicName)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	old, err := e.store.Apply(ctx, store.Update(clusterKey(c.ID), store.Exists(clusterCreated), store.Add(clusterLastID, clusterLastID, 1)))
	if _, ok := unmet(err); ok {
		e.forget(clusterKey(c.ID))
		return nil, refuse(NotFound, "no cluster %q", c.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", name, err)
	}
	t := &Topic{Name: name, TopicOptions: o, CreatedAt: time.UnixMilli(e.nowMs()), cluster: c.ID, id: old.Get(clusterLastID).Num() + 1}
	if err := e.createHeads(ctx, t); err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", name, err)
	}
	unlock, err := e.lockTopics(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", name, err)
	}
	err = e.store.Commit(ctx, []store.Op{
		store.Put(topicKey(c.ID, name), t.attrs(), store.Absent(topicID)),
		e.addPartitions(c, o.Partitions),
		store.Delete(debtKey(c.ID, t.id), store.Exists(topicCreated)), // else Reclaim has given the topic up
	})
	unlock()
	e.forget(clusterKey(c.ID))
	if ce, ok := unmet(err); ok {
		return nil, errors.Join(e.notCreated(c, name, ce), e.payDebt(ctx, c.ID, t.id))
	}
	if err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", name, err)
	}
	return t, nil
}

// notCreated says which condition kept a topic from being created.
func (e *Engine) notCreated(c *Cluster, name string, ce *store.ConditionError) error {
	switch {
	case ce.Index == 0:
		return refuse(Exists, "topic %q exists already", name)
	case ce.Index == 1 && !ce.Old.Has(clusterCreated):
		return refuse(NotFound, "no cluster %q", c.ID)
	case ce.Index == 1:
		return tooManyPartitions(c)
	}
	return fmt.Errorf("creating topic %s took too long: %w", name, store.ErrUnavailable)
}

// lockTopics makes the calls of this process that write topics together with the cluster's record
// queue up: transactions on one record refuse each other.
func (e *Engine) lockTopics(ctx context.Context, c *Cluster) (unlock func(), err error) {
	return e.locks.Lock(ctx, "topics", c.ID)
}

// addPartitions counts partitions in the cluster's record, up to its limit.
func (e *Engine) addPartitions(c *Cluster, n int) store.Op {
	cond := store.And{store.Exists(clusterCreated), store.Le(clusterPartitions, store.Int(int64(c.MaxPartitions-n)))}
	return store.Update(clusterKey(c.ID), cond,
		store.Add(clusterPartitions, clusterPartitions, int64(n)))
}

func tooManyPartitions(c *Cluster) error {
	return refuse(Invalid, "the cluster can have %d partitions in all topics", c.MaxPartitions)
}

// createHeads makes the heads of a new topic's partitions. The note comes first: if
// the topic never comes about, they are found and deleted.
func (e *Engine) createHeads(ctx context.Context, t *Topic) error {
	debt := store.NewAttrs(store.Attr{Name: topicPartitions, Value: store.Int(int64(t.Partitions))},
		store.Attr{Name: topicCreated, Value: store.Int(e.nowMs())})
	if _, err := e.store.Apply(ctx, store.Put(debtKey(t.cluster, t.id), debt, nil)); err != nil {
		return err
	}
	var heads []store.Item
	for p := range t.Partitions {
		heads = append(heads, store.Item{Key: headKey(t.log(p)), Attrs: newHead(t)})
	}
	return e.store.Load(ctx, heads, nil)
}

// addHeads makes heads of further partitions. Somebody else may do the same, and
// the partitions may be in use by then.
func (e *Engine) addHeads(ctx context.Context, t *Topic, to int) error {
	next := *t
	next.Partitions = to
	for p := t.Partitions; p < to; p++ {
		_, err := e.store.Apply(ctx, store.Put(headKey(t.log(p)), newHead(&next), store.Absent(headNext)))
		if _, ok := unmet(err); err != nil && !ok {
			return err
		}
	}
	return nil
}

// Topic reads a topic's record, at most Config.RecordTTL old. The error is of
// kind NotFound if there is none.
func (e *Engine) Topic(ctx context.Context, c *Cluster, name string) (*Topic, error) {
	if !ValidTopicName(name) {
		return nil, refuse(Invalid, "illegal topic name %q", name)
	}
	attrs, err := e.record(ctx, topicKey(c.ID, name))
	if err != nil {
		return nil, fmt.Errorf("reading topic %s: %w", name, err)
	}
	if attrs == nil {
		return nil, refuse(NotFound, "no topic %q", name)
	}
	return topicOf(c.ID, name, attrs), nil
}

// Topics lists the cluster's topics by name.
func (e *Engine) Topics(ctx context.Context, c *Cluster) ([]*Topic, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: clusterPartition(c.ID), From: "t", To: "u"})
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	var topics []*Topic
	for _, it := range items {
		topics = append(topics, topicOf(c.ID, it.Key.Sort[1:], it.Attrs))
	}
	return topics, nil
}

// UpdateTopic changes a topic's settings. Partitions can only be added. Another retention time or
// cleanup policy holds for the messages that there are, too. What is to be kept longer than before
// may still expire as it would have, until Reclaim has told the store. A topic that becomes compacted
// loses its messages without a key.
func (e *Engine) UpdateTopic(ctx context.Context, c *Cluster, name string, change func(*TopicOptions)) (t *Topic, err error) {
	unlock, err := e.lockTopics(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("updating topic %s: %w", name, err)
	}
	defer unlock()
	err = e.retry.Unhurried().Do(ctx, func(ctx context.Context) error {
		t, err = e.updateTopic(ctx, c, name, change)
		return err
	})
	return t, err
}

func (e *Engine) updateTopic(ctx context.Context, c *Cluster, name string, change func(*TopicOptions)) (*Topic, error) {
	e.forget(topicKey(c.ID, name))
	t, err := e.Topic(ctx, c, name)
	if err != nil {
		return nil, err
	}
	next := *t
	change(&next.TopicOptions)
	if err := next.check(); err != nil {
		return nil, err
	}
	added := next.Partitions - t.Partitions
	if added < 0 {
		return nil, refuse(Invalid, "topic %q has %d partitions, which cannot become fewer", name, t.Partitions)
	}
	ops := []store.Op{store.Put(topicKey(c.ID, name), next.attrs(), store.And{
		store.Eq(topicID, store.Int(t.id)), store.Eq(topicPartitions, store.Int(int64(t.Partitions)))})}
	if added > 0 {
		if err := e.addHeads(ctx, t, next.Partitions); err != nil {
			return nil, fmt.Errorf("updating topic %s: %w", name, err)
		}
		ops = append(ops, e.addPartitions(c, added))
	}
	err = e.store.Commit(store.NoRepeat(ctx), ops) // the partitions may have changed
	e.forget(topicKey(c.ID, name))
	e.forget(clusterKey(c.ID))
	e.notifier.notify(clusterPartition(c.ID))
	if ce, ok := unmet(err); ok && ce.Index == 1 {
		return nil, tooManyPartitions(c)
	}
	if err != nil {
		return nil, fmt.Errorf("updating topic %s: %w", name, err)
	}
	if next.keepMs() != t.keepMs() {
		e.keepAs(ctx, t, &next)
	}
	return &next, nil
}

// keepAs makes another retention hold in a topic's logs. What fails, the next Reclaim does.
func (e *Engine) keepAs(ctx context.Context, was, t *Topic) {
	logs := make([]string, t.Partitions)
	for p := range logs {
		logs[p] = t.log(p)
	}
	heads, err := e.heads(ctx, logs)
	for i, h := range heads {
		if h != nil && err == nil {
			err = e.setKeep(ctx, logs[i], h, was.keepMs(), t.keepMs())
		}
	}
	if err != nil {
		e.log.WarnContext(ctx, "a topic's retention holds later", "topic", t.Name, "error", err)
	}
}

// DeleteTopic deletes a topic with its messages. Engines that know it still
// accept messages for at most Config.RecordTTL; they are gone as well.
func (e *Engine) DeleteTopic(ctx context.Context, c *Cluster, name string) error {
	unlock, err := e.lockTopics(ctx, c)
	if err != nil {
		return fmt.Errorf("deleting topic %s: %w", name, err)
	}
	defer unlock()
	return e.retry.Unhurried().Do(ctx, func(ctx context.Context) error { return e.deleteTopic(ctx, c, name) })
}

func (e *Engine) deleteTopic(ctx context.Context, c *Cluster, name string) error {
	e.forget(topicKey(c.ID, name))
	t, err := e.Topic(ctx, c, name)
	if err != nil {
		return err
	}
	err = e.store.Commit(ctx, []store.Op{
		store.Delete(topicKey(c.ID, name), store.And{
			store.Eq(topicID, store.Int(t.id)), store.Eq(topicPartitions, store.Int(int64(t.Partitions)))}),
		store.Update(clusterKey(c.ID), nil, store.Add(clusterPartitions, clusterPartitions, -int64(t.Partitions))),
		store.Put(debtKey(c.ID, t.id), store.NewAttrs(store.Attr{Name: topicPartitions, Value: store.Int(int64(t.Partitions))}), nil),
	})
	e.forget(topicKey(c.ID, name))
	e.forget(clusterKey(c.ID))
	e.notifier.notify(clusterPartition(c.ID))
	if err != nil {
		return fmt.Errorf("deleting topic %s: %w", name, err)
	}
	// Without its head, a partition takes no more messages.
	var heads []store.Key
	for p := range t.Partitions {
		heads = append(heads, headKey(t.log(p)))
	}
	if err := e.store.Load(ctx, nil, heads); err != nil {
		return fmt.Errorf("deleting topic %s: %w", name, err)
	}
	return nil
}
