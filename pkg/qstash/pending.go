package qstash

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Why a message has not finished.
const (
	PendingDue     = "waiting" // for its time
	PendingActive  = "active"  // an attempt is under way
	PendingParked  = "parked"  // for its turn in a queue, or for its flow control key
	PendingStopped = "cancelling"
)

// PendingMessage is a message that has not finished, without its body.
type PendingMessage struct {
	Message
	State    string    // one of those above
	Due      time.Time // of the next attempt; zero: not known, since it is parked
	Attempts int       // that have failed
	BodySize int
}

// PendingQuery asks for messages that have not finished.
type PendingQuery struct {
	Filter Filter
	Cursor string
	Count  int
}

// Pending lists messages that have not finished, those due first in front, those in queues
// behind, in their queues' order, and returns where the next page begins, "" after the last. Messages of workflow runs are left
// out unless the filter asks for them.
func (e *Engine) Pending(ctx context.Context, acct string, q PendingQuery) (list []PendingMessage, next string, err error) {
	after, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil {
		return nil, "", invalid("invalid cursor")
	}
	list = []PendingMessage{}
	take := func(place string, m *message) bool {
		if m.state.finished() || (m.rec.Workflow != nil) != q.Filter.Workflow || !q.Filter.matchMessage(m) {
			return true
		}
		if len(list) == q.Count {
			next = base64.RawURLEncoding.EncodeToString([]byte(place))
			return false
		}
		list = append(list, m.pending())
		return true
	}
	from, queued := strings.CutPrefix(string(after), behindDue)
	if !queued {
		err = e.dueMessages(ctx, acct, from, take)
		from = ""
	}
	if err == nil && next == "" {
		err = e.queuedMessages(ctx, acct, from, take)
	}
	if err != nil {
		return nil, "", err
	}
	return list, next, nil
}

// dueMessages calls f with the messages that have due entries, from a place on and in
// order of their places, until it returns false.
func (e *Engine) dueMessages(ctx context.Context, acct, from string, f func(place string, m *message) bool) error {
	streams := make([]*messageStream, shards)
	for shard := range streams {
		streams[shard] = &messageStream{store: e.store, q: store.Query{Partition: duePartition(acct, byte(shard)), From: from}, more: true}
	}
	type due struct{ place, id string }
	for more := true; more; {
		// As many as are read at once.
		var dues []due
		var keys []store.Key
		for len(dues) < streamPage {
			var first *messageStream
			for _, s := range streams {
				if err := s.fill(ctx); err != nil {
					return err
				}
				if len(s.items) > 0 && (first == nil || s.items[0].Key.Sort < first.items[0].Key.Sort) {
					first = s
				}
			}
			if first == nil {
				more = false
				break
			}
			place := first.items[0].Key.Sort
			first.items = first.items[1:]
			if _, kind, id, ok := parseDue(place); ok && kind == dueMessage {
				dues, keys = append(dues, due{place, id}), append(keys, messageKey(acct, id))
			}
		}
		if len(keys) == 0 {
			return nil
		}
		items, err := e.store.GetMany(ctx, keys, false)
		if err != nil {
			return fmt.Errorf("reading messages: %w", err)
		}
		for i, attrs := range items {
			if attrs == nil {
				continue
			}
			m, err := parseMessage(acct, dues[i].id, attrs)
			if err != nil {
				return err
			}
			if m.due == dues[i].place && !f(m.due, m) {
				return nil
			}
		}
	}
	return nil
}

// behindDue begins the places of messages in queues, behind all those of due entries: what
// follows are the queue's name, NUL, and the place there.
const behindDue = "\xff"

// queuedMessages is dueMessages for those in queues.
func (e *Engine) queuedMessages(ctx context.Context, acct, from string, f func(place string, m *message) bool) error {
	first, place, _ := strings.Cut(from, "\x00")
	return e.each(ctx, store.Query{Partition: part("q", acct), From: first}, func(queue store.Item) (bool, error) {
		name, more := queue.Key.Sort, true
		q := store.Query{Partition: entryPartition(acct, name, queue.Attrs.Get(queueGeneration).Str()), Limit: streamPage}
		if name == first {
			q.From = place
		}
		for more {
			page, err := e.store.Query(ctx, q)
			if err != nil {
				return false, fmt.Errorf("reading queue %s: %w", name, err)
			}
			keys := make([]store.Key, len(page.Items))
			for i, entry := range page.Items {
				keys[i] = messageKey(acct, entry.Attrs.Get(attrMessage).Str())
			}
			if len(keys) == 0 {
				break
			}
			items, err := e.store.GetMany(ctx, keys, false)
			if err != nil {
				return false, fmt.Errorf("reading the messages of queue %s: %w", name, err)
			}
			for i, attrs := range items {
				if attrs == nil {
					continue
				}
				m, err := parseMessage(acct, keys[i].Sort, attrs)
				if err != nil {
					return false, err
				}
				if !f(behindDue+name+"\x00"+page.Items[i].Key.Sort, m) {
					return false, nil
				}
			}
			more = page.More
			q = q.Next(page)
		}
		return true, nil
	})
}

// pending is the view of a message that has not finished.
func (m *message) pending() PendingMessage {
	p := PendingMessage{Message: m.view(nil), State: PendingDue, Due: m.at, Attempts: m.retried, BodySize: m.rec.BodySize}
	switch {
	case m.attrs.Has(attrCancel):
		p.State = PendingStopped
	case m.state == stateActive:
		p.State = PendingActive
	case m.attrs.Has(attrHold), !m.at.Before(parked):
		p.State, p.Due = PendingParked, time.Time{}
	}
	return p
}

// PendingMessage reads one message that has not finished. The error is of kind
// KindNotFound if there is none.
func (e *Engine) PendingMessage(ctx context.Context, acct, id string) (PendingMessage, error) {
	m, err := e.readMessage(ctx, acct, id)
	if err != nil {
		return PendingMessage{}, err
	}
	if m == nil || m.state.finished() {
		return PendingMessage{}, notFound("message %s not found", id)
	}
	return m.pending(), nil
}
