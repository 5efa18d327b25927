package pubsub

import (
	"context"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// messages are what a transaction publishes: its outbox.
type messages struct {
	broker *Broker
	db     *keyspace.Database
	list   []publication
}

// Publish sends a message when the transaction commits and returns the number of
// subscriptions that it reaches. Where there are none, it costs a read and no write.
func (b *Broker) Publish(tx *keyspace.Txn, channel, payload string) (int64, error) {
	if len(channel) > keyspace.MaxKeySize {
		return 0, keyspace.ErrKeySize(len(channel))
	}
	box, _ := tx.Outbox.(*messages)
	if box == nil {
		box = &messages{broker: b, db: tx.Database()}
	}
	if len(box.list) == maxPublished {
		return 0, resp.Error(fmt.Sprintf("ERR transaction too large: more than %d messages", maxPublished))
	}
	if tx.Err() != nil {
		return 0, nil
	}
	n, err := b.receivers(tx, channel)
	if err != nil {
		tx.Fail(err)
		return 0, nil
	}
	if n > 0 {
		box.list = append(box.list, publication{channel, payload})
		tx.Outbox = box
	}
	return n, nil
}

// Operations implements keyspace.Outbox. Parts of messages that are too large for the logs are written before.
func (m *messages) Operations(ctx context.Context, id keyspace.WriteID, nowMs int64) ([]store.Op, error) {
	ops, bodies := appendToLogs(id, nowMs, func(channel string) messageLog { return logOf(m.db, channel) }, m.list)
	if len(bodies) > 0 {
		if err := m.broker.store.Load(ctx, bodies, nil); err != nil {
			return nil, fmt.Errorf("writing %d parts of messages: %w", len(bodies), keyspace.Unseen(err))
		}
	}
	return ops, nil
}

// logs are those that the messages go to.
func (m *messages) logs() []messageLog {
	var logs []messageLog
	for _, p := range m.list {
		if l := logOf(m.db, p.channel); !slices.Contains(logs, l) {
			logs = append(logs, l)
		}
	}
	return logs
}

// Sent implements keyspace.Outbox: it wakes the subscribers in this process and keeps the logs' heads small. After a commit of
// several operations, what a head holds has to be read.
func (m *messages) Sent(ctx context.Context, head store.Attrs) {
	logs := m.logs()
	for _, l := range logs {
		m.broker.published(l)
	}
	if head != nil {
		m.broker.tidyLog(ctx, logs[0], head)
		return
	}
	for _, l := range logs {
		if head, err := m.broker.store.Get(ctx, l.key(logHead)); err == nil { // else a later publication sees to it
			m.broker.tidyLog(ctx, l, head)
		}
	}
}

// Refused implements keyspace.Outbox: if the item is a log's head that is full, it makes room.
func (m *messages) Refused(ctx context.Context, op store.Op, found store.Attrs) {
	for _, l := range m.logs() {
		if op.Key == l.key(logHead) {
			m.broker.tidyLog(ctx, l, found)
		}
	}
}

// Resolve implements keyspace.Outbox.
func (m *messages) Resolve(ctx context.Context, id keyspace.WriteID) (keyspace.Outcome, error) {
	return m.broker.sealLog(ctx, m.logs()[0], id)
}
