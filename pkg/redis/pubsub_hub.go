package redis

import "sync"

// hub is what an engine's subscriptions to one database share.
type hub struct {
	e        *Engine
	register *registration

	mu    sync.Mutex
	tails map[messageLog]*tail
}

// hubOf is the hub of a database's subscriptions.
func (e *Engine) hubOf(db *Database) *hub {
	e.hubsMu.Lock()
	defer e.hubsMu.Unlock()
	h := e.hubs[db.ID]
	if h == nil {
		h = &hub{e: e, register: newRegistration(e, db.ID), tails: map[messageLog]*tail{}}
		e.hubs[db.ID] = h
	}
	return h
}

func (h *hub) tail(l messageLog) *tail {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tails[l]
	if t == nil {
		t = newTail(h.e, l)
		h.tails[l] = t
	}
	return t
}

// published wakes those who follow a log in this process.
func (e *Engine) published(l messageLog) {
	e.hubsMu.Lock()
	h := e.hubs[l.db]
	e.hubsMu.Unlock()
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
