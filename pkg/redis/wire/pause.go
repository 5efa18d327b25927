package wire

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/redis"
)

// CLIENT PAUSE, CLIENT UNPAUSE; MEMORY DOCTOR, PURGE, STATS.

// maxPause bounds how long clients can be held up.
const maxPause = time.Minute

// pauses say which databases' clients are held up on this server.
type pauses struct {
	some atomic.Bool // there are pauses, or have been
	mu   sync.Mutex
	byDB map[string]*pause
}

// pause holds up the clients of a database.
type pause struct {
	until time.Time
	all   bool          // also those that only read
	ended chan struct{} // is closed by CLIENT UNPAUSE
}

// begin holds up clients until a time. One that there is becomes longer and stricter, never less.
func (ps *pauses) begin(db string, until time.Time, all bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.byDB[db]
	switch {
	case p == nil:
		p = &pause{ended: make(chan struct{})}
	default:
		all = all || p.all
		if p.until.After(until) {
			until = p.until
		}
	}
	if ps.byDB == nil {
		ps.byDB = map[string]*pause{}
		ps.some.Store(true)
	}
	ps.byDB[db] = &pause{until: until, all: all, ended: p.ended}
}

// end ends a pause.
func (ps *pauses) end(db string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.byDB[db]; p != nil {
		close(p.ended)
		delete(ps.byDB, db)
	}
}

// of is the pause of a database, or nil.
func (ps *pauses) of(db string, now time.Time) *pause {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.byDB[db]
	if p != nil && !now.Before(p.until) {
		delete(ps.byDB, db)
		return nil
	}
	return p
}

// paused is what holds a command up, or nil. Commands of the connection itself are not held up, but EXEC is.
func (c *conn) paused(args []string) *pause {
	l := c.login.Load()
	if l == nil || !c.s.pauses.some.Load() || c.tx != nil && !strings.EqualFold(args[0], "exec") {
		return nil
	}
	p := c.s.pauses.of(l.database, c.s.now())
	switch {
	case p == nil:
		return nil
	case c.tx != nil:
		if p.all {
			return p
		}
		for _, q := range c.tx.commands {
			if c.s.engine.MayWrite(c.Life, l.database, q.args) {
				return p
			}
		}
		return nil
	case c.s.engine.NatureOf(args) == redis.Bound, !p.all && !c.s.engine.MayWrite(c.Life, l.database, args):
		return nil
	}
	return p
}

// awaitPause waits as long as a command is held up. The replies of those before it are sent.
func (c *conn) awaitPause(args []string) error {
	for p := c.paused(args); p != nil && c.Life.Err() == nil; p = c.paused(args) {
		c.blocked.Store(true)
		defer c.blocked.Store(false)
		if err := c.flush(); err != nil {
			return err
		}
		timer := time.NewTimer(p.until.Sub(c.s.now()))
		select {
		case <-p.ended:
		case <-c.Life.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// CLIENT PAUSE timeout [WRITE | ALL]
//
// It holds up the clients of the caller's database on this server, for a minute at most.
func clientPause(b *batch, args []string) {
	all := len(args) == 3 || strings.EqualFold(args[3], "all")
	if len(args) > 4 || !all && !strings.EqualFold(args[3], "write") {
		b.fail("ERR CLIENT PAUSE mode must be WRITE or ALL")
		return
	}
	ms, ok := integer(args[2])
	switch {
	case !ok:
		b.fail("ERR timeout is not an integer or out of range")
		return
	case ms < 0:
		b.fail("ERR timeout is negative")
		return
	}
	b.s.pauses.begin(b.Database.ID, b.s.now().Add(time.Duration(min(ms, maxPause.Milliseconds()))*time.Millisecond), all)
	b.over = true
	b.w.OK()
}

// CLIENT UNPAUSE
func clientUnpause(b *batch, _ []string) {
	b.s.pauses.end(b.Database.ID)
	b.w.OK()
}

// MEMORY DOCTOR
func memoryDoctor(b *batch, _ []string) {
	b.w.Verbatim("Sam, I detected no issues: data are not kept in this server's memory.\n")
}

// MEMORY STATS
//
// The figures are those of the process, in bytes. Data are not in its memory, so there are none of them.
func memoryStats(b *batch, _ []string) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	figures := []struct {
		name  string
		bytes int64
	}{
		{"peak.allocated", int64(m.HeapSys)},
		{"total.allocated", int64(m.HeapAlloc)},
		{"startup.allocated", 0},
		{"replication.backlog", 0},
		{"clients.slaves", 0},
		{"clients.normal", 0},
		{"aof.buffer", 0},
		{"overhead.total", int64(m.HeapAlloc)},
		{"keys.count", 0},
		{"keys.bytes-per-key", 0},
		{"dataset.bytes", 0},
	}
	b.w.Map(len(figures))
	for _, f := range figures {
		b.w.Bulk(f.name)
		b.w.Int(f.bytes)
	}
}
