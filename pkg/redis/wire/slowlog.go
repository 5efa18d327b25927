package wire

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// SLOWLOG GET, LEN, RESET. It knows the commands of the caller's database in this process. The time is that of the command itself,
// without what it waited for others. Commands of a transaction are one, EXEC.

// Bounds of slow logs.
const (
	slowerThan      = 10 * time.Millisecond // unless CONFIG SET says otherwise
	slowLength      = 128                   // entries of a database, unless CONFIG SET says otherwise
	maxSlowLength   = 1024
	maxSlowLogs     = 1000 // databases
	maxSlowArgs     = 32   // of an entry, as in Redis
	maxSlowArgBytes = 128
)

// slowLogs are the slow commands of each database.
type slowLogs struct {
	least atomic.Int64 // microseconds: what is faster is in no log
	mu    sync.Mutex
	ids   int64
	of    map[string]*slowLog
}

// slowLog are those of a database.
type slowLog struct {
	threshold int64 // microseconds; negative: nothing is logged
	length    int
	entries   []slowEntry // the latest is the last
}

type slowEntry struct {
	id         int64
	at         time.Time
	took       time.Duration
	args       []string
	addr, name string
}

// log is that of a database. The caller holds mu.
func (s *slowLogs) log(database string) *slowLog {
	l := s.of[database]
	if l == nil {
		if s.of == nil {
			s.of = map[string]*slowLog{}
		}
		if len(s.of) >= maxSlowLogs {
			for other := range s.of {
				delete(s.of, other)
				break
			}
		}
		l = &slowLog{threshold: slowerThan.Microseconds(), length: slowLength}
		s.of[database] = l
	}
	return l
}

// neverLogged are commands whose arguments are secrets.
var neverLogged = map[string]bool{"auth": true, "hello": true}

// noteSlow logs a command if it was slow.
func (c *conn) noteSlow(args []string, took time.Duration) {
	s := &c.s.slow
	l := c.login.Load()
	if l == nil || took.Microseconds() < s.least.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log(l.database)
	if log.threshold < 0 || took.Microseconds() < log.threshold || log.length == 0 || neverLogged[strings.ToLower(args[0])] {
		return
	}
	c.seen.mu.Lock()
	name := c.seen.name
	c.seen.mu.Unlock()
	log.entries = append(log.entries, slowEntry{s.ids, c.s.now(), took, slowArgs(concealed(args)), c.caller.Addr, name})
	s.ids++
	log.trim()
}

// concealed are a command's arguments as others may see them: ACL SETUSER and DELUSER show none, as in Redis.
func concealed(args []string) []string {
	if len(args) < 3 || !strings.EqualFold(args[0], "acl") || !strings.EqualFold(args[1], "setuser") && !strings.EqualFold(args[1], "deluser") {
		return args
	}
	shown := slices.Clone(args)
	for i := 2; i < len(shown); i++ {
		shown[i] = "(redacted)"
	}
	return shown
}

// thresholdOf is from how many ms on commands of a database are logged; negative: none is.
func (s *slowLogs) thresholdOf(database string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.log(database).threshold
	if t > 0 {
		t /= 1000
	}
	return t
}

func (l *slowLog) trim() {
	if n := len(l.entries) - l.length; n > 0 {
		l.entries = append(l.entries[:0], l.entries[n:]...)
	}
}

// slowArgs are arguments as the log shows them: not too many, and none that is long.
func slowArgs(args []string) []string {
	shown := make([]string, 0, min(len(args), maxSlowArgs))
	for i, arg := range args {
		switch {
		case i == maxSlowArgs-1 && len(args) > maxSlowArgs:
			return append(shown, fmt.Sprintf("... (%d more arguments)", len(args)-i))
		case len(arg) > maxSlowArgBytes:
			arg = fmt.Sprintf("%s... (%d more bytes)", arg[:maxSlowArgBytes], len(arg)-maxSlowArgBytes)
		default:
			arg = strings.Clone(arg) // it may be part of a large request
		}
		shown = append(shown, arg)
	}
	return shown
}

// settings are the parameters of CONFIG that are about the log of a database.
func (s *slowLogs) settings(database string) [][2]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.log(database)
	return [][2]string{{"slowlog-log-slower-than", strconv.FormatInt(l.threshold, 10)}, {"slowlog-max-len", strconv.Itoa(l.length)}}
}

// set changes one of them. ok is false if the name is of none.
func (s *slowLogs) set(database, name, value string) (ok bool, err error) {
	if name != "slowlog-log-slower-than" && name != "slowlog-max-len" {
		return false, nil
	}
	n, valid := integer(value)
	if !valid {
		return true, errors.New("argument couldn't be parsed into an integer")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.log(database)
	switch {
	case name == "slowlog-log-slower-than" && n < -1:
		return true, errors.New("argument must be between -1 and 9223372036854775807 inclusive")
	case name == "slowlog-max-len" && n < 0:
		return true, errors.New("argument must be between 0 and 9223372036854775807 inclusive")
	case name == "slowlog-log-slower-than":
		l.threshold = n
		least := slowerThan.Microseconds()
		for _, l := range s.of {
			if l.threshold >= 0 {
				least = min(least, l.threshold)
			}
		}
		s.least.Store(least)
	default:
		l.length = int(min(n, maxSlowLength))
		l.trim()
	}
	return true, nil
}

// SLOWLOG GET [count]
func slowlogGet(b *batch, args []string) {
	count := int64(10)
	if len(args) > 2 {
		n, ok := integer(args[2])
		if !ok || n < -1 || len(args) > 3 {
			b.fail("ERR count should be greater than or equal to -1")
			return
		}
		count = n
	}
	b.s.slow.mu.Lock()
	defer b.s.slow.mu.Unlock()
	entries := b.s.slow.log(b.Database.ID).entries
	n := len(entries)
	if count >= 0 {
		n = int(min(count, int64(n)))
	}
	b.w.Array(n)
	for i := range n {
		e := entries[len(entries)-1-i]
		b.w.Array(6)
		b.w.Int(e.id)
		b.w.Int(e.at.Unix())
		b.w.Int(e.took.Microseconds())
		b.w.Array(len(e.args))
		for _, arg := range e.args {
			b.w.Bulk(arg)
		}
		b.w.Bulk(e.addr)
		b.w.Bulk(e.name)
	}
}

// SLOWLOG LEN
func slowlogLen(b *batch, _ []string) {
	b.s.slow.mu.Lock()
	defer b.s.slow.mu.Unlock()
	b.w.Int(int64(len(b.s.slow.log(b.Database.ID).entries)))
}

// SLOWLOG RESET
func slowlogReset(b *batch, _ []string) {
	b.s.slow.mu.Lock()
	defer b.s.slow.mu.Unlock()
	b.s.slow.log(b.Database.ID).entries = nil
	b.w.OK()
}
