package pubsub

import (
	"sync"

	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// hub is what a broker's subscriptions to one database share.
type hub struct {
	broker   *Broker
	register *registration

	mu    sync.Mutex
	tails map[messageLog]*tail
}

// hubOf is the hub of a database's subscriptions.
func (b *Broker) hubOf(db *keyspace.Database) *hub {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hubs[db.ID]
	if h == nil {
		h = &hub{broker: b, register: newRegistration(b, db.ID), tails: map[messageLog]*tail{}}
		b.hubs[db.ID] = h
	}
	return h
}

func (h *hub) tail(l messageLog) *tail {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tails[l]
	if t == nil {
		t = newTail(h.broker, l)
		h.tails[l] = t
	}
	return t
}

// published wakes those who follow a log in this process.
func (b *Broker) published(l messageLog) {
	b.mu.Lock()
	h := b.hubs[l.db]
	b.mu.Unlock()
	if h == nil {
		return
	}
	h.mu.Lock()
	t := h.tails[l]
	h.mu.Unlock()
	if t != nil {
		t.poke()
	}
}
