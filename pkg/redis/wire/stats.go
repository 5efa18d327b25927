package wire

import (
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/stats"
)

// What the statistics of a database, and its slow log, are told of the commands of a connection.

// statistics are those of the connection's database; nil without a login.
func (c *conn) statistics() *stats.Database {
	if l := c.login.Load(); l != nil {
		return l.stats
	}
	return nil
}

// observer is told by the engine of the commands that it carries out for a connection.
type observer struct{ c *conn }

// Ran notes a command that has run by itself.
func (o observer) Ran(cmd *redis.Command, args []string, took time.Duration, failure string) {
	o.c.noteSlow(args, took)
	o.ran(cmd, took, failure)
}

// Joined notes a command that has run as part of a transaction.
func (o observer) Joined(cmd *redis.Command, took time.Duration, failure string) {
	o.c.noteRan(cmd, failure)
	o.ran(cmd, took, failure)
}

// ran notes a command that has run. The failure of a script's command that the script then ends with, or returns, is one failure.
func (o observer) ran(cmd *redis.Command, took time.Duration, failure string) {
	known := o.c.inScript
	o.c.inScript, o.c.again = "", false
	s := o.c.statistics()
	if s == nil {
		return
	}
	s.Ran(cmd, took, failure != "")
	if failure != "" && (known == "" || !strings.HasPrefix(failure, known)) {
		s.Failed(failure)
	}
}

// Called notes a command that a script has run or was not allowed to run.
func (o observer) Called(cmd *redis.Command, ran bool, took time.Duration, failure string) {
	s := o.c.statistics()
	if s == nil || o.c.again {
		return
	}
	if ran {
		s.Ran(cmd, took, failure != "")
	} else {
		s.Rejected(cmd)
	}
	if failure != "" {
		s.Failed(failure)
		o.c.inScript = failure
	}
}

// Again lets the commands of a script that runs again be counted once.
func (o observer) Again() { o.c.again = true }

// Rejected notes a command that was refused.
func (o observer) Rejected(cmd *redis.Command, failure string) {
	if s := o.c.statistics(); s != nil {
		s.Rejected(cmd)
		s.Failed(failure)
	}
}

// forgetRan begins to note the commands of a batch.
func (c *conn) forgetRan() {
	if cap(c.ran) > keptRan {
		c.ran = nil
	}
	clear(c.ran)
	c.ran = c.ran[:0]
}

// keptRan is how many commands a connection has room for between batches.
const keptRan = 1024

// noteRan notes a command of the batch, for the meter, whose reply says nothing but whether it has failed. nil is one that there
// is not.
func (c *conn) noteRan(cmd *redis.Command, failure string) {
	if c.s.meter.Recorder == nil {
		return
	}
	name := redis.UnknownCommand
	if cmd != nil {
		name = cmd.Full()
	}
	c.ran = append(c.ran, meter.Ran{Command: name, Error: failure})
}

// lookedUp notes the keys that a command has found, and those that it has not.
func (c *conn) lookedUp(ran meter.Ran) {
	if s := c.statistics(); s != nil && ran.Hits+ran.Misses > 0 {
		s.Hits.Add(ran.Hits)
		s.Misses.Add(ran.Misses)
	}
}

// reject refuses a command with an error.
func (b *batch) reject(args []string, text string) {
	b.fail(text)
	cmd := b.s.engine.CommandOf(args)
	observer{b.conn}.Rejected(cmd, text)
	b.noteRan(cmd, text)
}

// carryOut runs a command of the connection itself.
func (b *batch) carryOut(args []string, handle handler) {
	b.failure = ""
	began := b.s.now()
	handle.run(b, args)
	took := b.s.now().Sub(began)
	cmd := b.s.engine.CommandOf(args)
	failure := b.failure
	b.failure = ""
	if cmd == nil {
		return
	}
	b.noteRan(cmd, failure)
	if cmd.Name == "exec" {
		observer{b.conn}.ran(cmd, took, failure) // in the slow log is what the engine has done for it
	} else {
		observer{b.conn}.Ran(cmd, args, took, failure)
	}
	if b.Database != nil {
		b.s.engine.MonitorBound(b.ctx, b.Database, args)
	}
}

// noteWaiting notes a command that may have waited, and the reply that it has written.
func (b *batch) noteWaiting(args []string, took time.Duration, reply []byte) {
	cmd := b.s.engine.CommandOf(args)
	failure, _ := resp.ErrorText(reply)
	if cmd == nil {
		return
	}
	b.outcome(args, reply)
	if failure != "" && b.s.engine.Check(b.ctx, b.Access, args) != nil {
		observer{b.conn}.Rejected(cmd, failure)
		return
	}
	observer{b.conn}.Ran(cmd, args, took, failure)
}

// LATENCY HISTORY event
func latencyHistory(b *batch, args []string) { b.statistics().History(&b.w, strings.ToLower(args[2])) }

// LATENCY LATEST
func latencyLatest(b *batch, _ []string) { b.statistics().Latest(&b.w) }

// LATENCY RESET [event [event ...]]
func latencyReset(b *batch, args []string) { b.w.Int(int64(b.statistics().ResetEvents(args[2:]))) }

// LATENCY HISTOGRAM [command [command ...]]
func latencyHistogram(b *batch, args []string) { b.statistics().Histogram(&b.w, args[2:]) }

// LATENCY GRAPH event
func latencyGraph(b *batch, args []string) {
	text, ok := b.statistics().Graph(args[2])
	if !ok {
		b.fail("ERR No samples available for event '" + args[2] + "'")
		return
	}
	b.w.Verbatim(text)
}

// LATENCY DOCTOR
func latencyDoctor(b *batch, _ []string) {
	b.w.Verbatim(b.statistics().Doctor(b.s.slow.thresholdOf(b.Database.ID)))
}
