// Package fresh keeps what was read from a store for a bounded time.
//
// A bound such as "a revoked token opens nothing after one second" holds only if an age is counted
// from a moment at which the value was true. So a reader takes a [Read] before it asks the store,
// and the age counts from there, however late the answer comes. Ages go by the wall clock: a
// Lambda function that is frozen between two requests may find that its monotonic clock has stood
// still. If the wall clock was put back, the age is unknown, and the value is read again.
package fresh

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Forever as a Cache's TTL says that nobody else writes what it keeps: it is good until forgotten.
const Forever time.Duration = math.MaxInt64

// Time is a moment of the wall clock, in Unix nanoseconds. The zero Time is long ago.
type Time int64

// At is the wall clock's part of t.
func At(t time.Time) Time { return Time(t.UnixNano()) }

// Within reports whether less than d has passed from t to now. Of a t after now it is not known.
func (t Time) Within(d time.Duration, now time.Time) bool {
	age := At(now) - t
	return age >= 0 && age < Time(d)
}

// Read is a read that has begun. Reads of one Cache are in an order.
type Read struct {
	at    Time
	order uint64
}

// Cache keeps values that were read, for TTL. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	ttl time.Duration
	max int
	now func() time.Time

	order atomic.Uint64
	last  atomic.Pointer[named[K, V]] // what was asked for last, so that one key that is asked for again and again costs no lock
	mu    sync.RWMutex
	m     map[K]*named[K, V]
}

// named is an entry with its key. It is immutable.
type named[K comparable, V any] struct {
	key K
	entry[V]
}

type entry[V any] struct {
	value V
	read  Read
	none  bool // forgotten: only a read that began later puts a value here
}

// New makes a Cache. With a ttl of 0 it keeps nothing. It holds at most max values: if there are
// more, it begins anew.
func New[K comparable, V any](ttl time.Duration, max int, now func() time.Time) *Cache[K, V] {
	return &Cache[K, V]{ttl: ttl, max: max, now: now, m: map[K]*named[K, V]{}}
}

// Begin must be called before a value is read that Put is to keep.
func (c *Cache[K, V]) Begin() Read { return Read{At(c.now()), c.order.Add(1)} }

// Get returns a value that is younger than TTL.
func (c *Cache[K, V]) Get(key K) (V, bool) { return c.Within(key, c.ttl) }

// Within returns a value that is younger than age, which may be more than TTL.
func (c *Cache[K, V]) Within(key K, age time.Duration) (value V, ok bool) {
	e := c.last.Load()
	if e == nil || e.key != key {
		c.mu.RLock()
		if e = c.m[key]; e != nil {
			c.last.Store(e) // under the lock, so that none is stored that was replaced meanwhile
		}
		c.mu.RUnlock()
	}
	// The clock is read after the entry, which would otherwise seem to come from the future.
	if e == nil || e.none || age != Forever && !e.read.at.Within(age, c.now()) {
		return value, false
	}
	return e.value, true
}

// Last returns the value that was read last, of whatever age.
func (c *Cache[K, V]) Last(key K) (V, bool) { return c.Within(key, Forever) }

// Put keeps a value, unless one of a read that began later is there, or the key was forgotten since.
func (c *Cache[K, V]) Put(key K, value V, read Read) {
	if c.ttl > 0 {
		c.put(key, entry[V]{value: value, read: read})
	}
}

// Forget makes a key be read again. What a read that has begun already will find is not kept.
func (c *Cache[K, V]) Forget(key K) {
	if c.ttl > 0 {
		c.put(key, entry[V]{read: c.Begin(), none: true})
	}
}

func (c *Cache[K, V]) put(key K, e entry[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, known := c.m[key]
	if known && old.read.order > e.read.order {
		return
	}
	if !known && len(c.m) >= c.max {
		clear(c.m)
	}
	c.m[key] = &named[K, V]{key, e}
	c.last.Store(nil)
}
