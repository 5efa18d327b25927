package redis

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/skystash/skystash/pkg/redis/command"
)

// waiters are the blocked commands of an engine. Those that wait for a key stand in line, in the order in which
// they came. A write of the key wakes the first. When that one has taken something, or ends although it was woken, it
// wakes the next, which finds something or nothing. So n elements wake n commands, and one more; and all of them in order.
type waiters struct {
	count atomic.Int64
	mu    sync.Mutex
	lines map[waitKey][]*waiter
}

type waitKey struct{ db, key string }

// waiter is one blocked command.
type waiter struct {
	keys   []waitKey
	kind   string        // of what it waits for: the command's group, or groupReader
	wake   chan struct{} // holds a token if it was woken
	served bool          // it ends with a reply
	due    bool          // it was woken, and has not told since that it found nothing; guarded by the waiters' lock
}

// groupReader is the kind of XREADGROUP, which waits for a group as well: without its key it ends.
const groupReader = "group of a stream"

// join puts a command at the end of the lines of its keys. It reports whether others are ahead in all of them.
func (ws *waiters) join(db, kind string, keys []string) (w *waiter, ahead bool) {
	w = &waiter{kind: kind, wake: make(chan struct{}, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.lines == nil {
		ws.lines = map[waitKey][]*waiter{}
	}
	ahead = true
	for _, key := range command.Distinct(keys) {
		k := waitKey{db, key}
		w.keys = append(w.keys, k)
		ahead = ahead && len(ws.lines[k]) > 0
		ws.lines[k] = append(ws.lines[k], w)
	}
	ws.count.Add(1)
	return w, ahead
}

// leave takes a command out of its lines. If it has taken something, or was woken and has not looked, it is the next one's turn.
func (ws *waiters) leave(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	next := w.served || w.woken()
	for _, k := range w.keys {
		i := slices.Index(ws.lines[k], w)
		line := slices.Delete(ws.lines[k], i, i+1)
		if len(line) == 0 {
			delete(ws.lines, k)
			continue
		}
		if ws.lines[k] = line; next && i < len(line) {
			line[i].signal()
		}
	}
	ws.count.Add(-1)
}

// handOn is called when a command was woken and has found nothing. Whoever is behind it may find something: another entry of a stream,
// or another type of value. But if a command has found no element to take, there is none for others of its kind.
func (ws *waiters) handOn(w *waiter, takes bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.due = len(w.wake) > 0 // woken again while it looked
	for _, k := range w.keys {
		line := ws.lines[k]
		i := slices.Index(line, w) + 1
		for takes && i < len(line) && line[i].kind == w.kind {
			i++
		}
		if i < len(line) {
			line[i].signal()
		}
	}
}

// turn returns the keys of a command that takes elements whose turn it is: those for which nobody of its kind is ahead who was woken and
// has yet to look. What such a command may take is not for those behind it, who may be faster.
func (ws *waiters) turn(w *waiter) (keys []string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, k := range w.keys {
		line := ws.lines[k]
		if !slices.ContainsFunc(line[:slices.Index(line, w)], func(other *waiter) bool { return other.due && other.kind == w.kind }) {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// written wakes who is first in line for a key. While nobody waits it costs next to nothing.
func (ws *waiters) written(db, key string) {
	if ws.count.Load() == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if line := ws.lines[waitKey{db, key}]; len(line) > 0 {
		line[0].signal()
	}
}

// deleted wakes the first XREADGROUP in line for a key that is no more: it ends with an error. Other commands go on waiting.
func (ws *waiters) deleted(db, key string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.lines[waitKey{db, key}] {
		if w.kind == groupReader {
			w.signal()
			return
		}
	}
}

// keysOf are the keys of a database that somebody waits for.
func (ws *waiters) keysOf(db string) []string {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var keys []string
	for k := range ws.lines {
		if k.db == db {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// countKeys counts the keys of a database that commands wait for: all, and those that XREADGROUP waits for, which ends when its key does.
func (ws *waiters) countKeys(db string) (keys, gone int) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for k, line := range ws.lines {
		if k.db != db {
			continue
		}
		keys++
		if slices.ContainsFunc(line, func(w *waiter) bool { return w.kind == groupReader }) {
			gone++
		}
	}
	return keys, gone
}

// signal wakes a command. The caller holds the waiters' lock.
func (w *waiter) signal() {
	w.due = true
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// woken reports whether the command was woken since it looked last, and takes the token.
func (w *waiter) woken() bool {
	select {
	case <-w.wake:
		return true
	default:
		return false
	}
}
