// Package readahead lets the parts of a request, which know nothing of each other, read in one call.
//
// A request for a Redis key needs three items: the keys that tokens are signed with, the database's
// record and the key's head. Package token asks for the first, the engine for the others, one after
// the other. Where each call takes milliseconds, they make a request three times as slow as it has
// to be. So whoever can foresee a read says so, with Expect; the first Get of any of them then
// brings along all that is expected:
//
//	ctx = readahead.With(ctx, table)
//	readahead.Expect(ctx, record, begun) // by the engine
//	readahead.Expect(ctx, head, begun)
//	keys, _, err := readahead.Get(ctx, table, keysItem, begun)  // BatchGetItem of three items
//	attrs, _, err := readahead.Get(ctx, table, record, begun)   // no call
//
// What was expected is given out once, and an item that was not needed is only paid for.
package readahead

import (
	"context"
	"sync"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/store"
)

// maxItems bounds what is expected: one BatchGetItem.
const maxItems = 100

// plan is what a request will read.
type plan struct {
	st store.Store

	mu       sync.Mutex
	expected []expectation
	read     bool // the items are there
}

type expectation struct {
	key   store.Key
	begun fresh.Read
	attrs store.Attrs
	used  bool
}

type planKey struct{}

// With begins a request's reads of a store.
func With(ctx context.Context, st store.Store) context.Context {
	return context.WithValue(ctx, planKey{}, &plan{st: st})
}

func of(ctx context.Context) *plan {
	p, _ := ctx.Value(planKey{}).(*plan)
	return p
}

// Expect says that the request will soon Get an item. begun is what its age counts from. Without
// With, and after the first Get, it does nothing.
func Expect(ctx context.Context, key store.Key, begun fresh.Read) {
	p := of(ctx)
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.read || len(p.expected)+1 >= maxItems {
		return
	}
	for _, x := range p.expected {
		if x.key == key {
			return
		}
	}
	p.expected = append(p.expected, expectation{key: key, begun: begun})
}

// Pending reports whether a call of the store is expected that another item can be read with.
func Pending(ctx context.Context, st store.Store) bool {
	p := of(ctx)
	if p == nil || p.st != st {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.read && len(p.expected) > 0
}

// Get reads an item, with all that is expected. now is what its age counts from if it is read now,
// begun what it does count from: if it was expected, that is earlier.
func Get(ctx context.Context, st store.Store, key store.Key, now fresh.Read) (attrs store.Attrs, begun fresh.Read, err error) {
	p := of(ctx)
	if p == nil || p.st != st {
		attrs, err = st.Get(ctx, key)
		return attrs, now, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.take(key); x != nil {
		return x.attrs, x.begun, nil
	}
	if p.read || len(p.expected) == 0 {
		attrs, err = st.Get(ctx, key)
		return attrs, now, err
	}
	return p.all(ctx, key, now)
}

// Any reports whether Loaded may return something.
func Any(ctx context.Context) bool {
	p := of(ctx)
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.read && len(p.expected) > 0
}

// Loaded returns an item that has been read with another one. It calls nobody.
func Loaded(ctx context.Context, key store.Key) (attrs store.Attrs, ok bool) {
	p := of(ctx)
	if p == nil {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if x := p.take(key); x != nil {
		return x.attrs, true
	}
	return nil, false
}

// Discard ends the plan: what has been read and not been used is out of date from now on.
func Discard(ctx context.Context) {
	if p := of(ctx); p != nil {
		p.mu.Lock()
		p.read, p.expected = true, nil
		p.mu.Unlock()
	}
}

// take gives out an item that has been read, once.
func (p *plan) take(key store.Key) *expectation {
	for i := range p.expected {
		if x := &p.expected[i]; p.read && x.key == key && !x.used {
			x.used = true
			return x
		}
	}
	return nil
}

// all reads an item with all that is expected. After an error, the others are read by those who need them.
func (p *plan) all(ctx context.Context, key store.Key, now fresh.Read) (store.Attrs, fresh.Read, error) {
	keys := []store.Key{key}
	for _, x := range p.expected {
		keys = append(keys, x.key)
	}
	p.read = true
	items, err := p.st.GetMany(ctx, keys, false)
	if err != nil {
		p.expected = nil
		return nil, now, err
	}
	for i := range p.expected {
		p.expected[i].attrs = items[1+i]
	}
	if x := p.take(key); x != nil {
		return x.attrs, x.begun, nil
	}
	return items[0], now, nil
}
