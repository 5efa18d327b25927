package stats

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
)

// Bounds of what is kept.
const (
	maxDatabases  = 1000
	maxCounters   = 50_000 // commands of databases, about 700 bytes each
	maxErrors     = 128    // kinds of errors of a database
	maxErrorBytes = 32     // of a kind's name, as in Redis
)

// Book holds the statistics of all databases. It is safe for concurrent use.
type Book struct {
	now      func() time.Time
	commands int // in the table
	counters atomic.Int64
	spare    counter // counts what there is no room for

	mu sync.Mutex
	of map[string]*Database
}

// NewBook makes a Book for a table of so many commands.
func NewBook(commands int, now func() time.Time) *Book {
	return &Book{now: now, commands: commands, of: map[string]*Database{}}
}

// Of returns the statistics of a database. When there are too many, those of another one begin anew.
func (b *Book) Of(id string) *Database {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.of[id]; d != nil {
		return d
	}
	if len(b.of) >= maxDatabases {
		for other, d := range b.of {
			delete(b.of, other)
			d.Reset()
			break
		}
	}
	d := &Database{book: b, commands: make([]atomic.Pointer[counter], b.commands), percentiles: defaultPercentiles, events: map[string]*series{}}
	b.of[id] = d
	return d
}

// Database holds the statistics of a database. It is safe for concurrent use.
type Database struct {
	book     *Book
	commands []atomic.Pointer[counter] // by command.Command.Number
	failures failures

	// BytesIn and BytesOut are what its clients have sent and received.
	BytesIn, BytesOut atomic.Int64

	// Hits and Misses are the keys that reading commands have found, and those that they have not.
	Hits, Misses atomic.Int64

	untracked atomic.Bool  // latency-tracking is off
	threshold atomic.Int64 // latency-monitor-threshold in ms; 0: there are no events

	mu          sync.Mutex // of what follows
	percentiles []float64  // is replaced, not changed
	events      map[string]*series
	rates       rates
}

// counter counts the calls of a command.
type counter struct {
	command          *command.Command
	took             histogram
	nanos            atomic.Int64
	untimed          atomic.Int64 // calls that are not in took
	rejected, failed atomic.Int64
}

func (c *counter) calls() int64 { return c.untimed.Load() + c.took.calls() }

func (d *Database) counter(cmd *command.Command) *counter {
	place := &d.commands[cmd.Number()]
	if c := place.Load(); c != nil {
		return c
	}
	if d.book.counters.Add(1) > maxCounters {
		d.book.counters.Add(-1)
		return &d.book.spare
	}
	c := &counter{command: cmd}
	if !place.CompareAndSwap(nil, c) {
		d.book.counters.Add(-1)
		return d.counter(cmd)
	}
	return c
}

// Ran counts a command that has run, and has failed or not.
func (d *Database) Ran(cmd *command.Command, took time.Duration, failed bool) {
	c := d.counter(cmd)
	c.nanos.Add(int64(took))
	if d.untracked.Load() {
		c.untimed.Add(1)
	} else {
		c.took.add(took)
	}
	if failed {
		c.failed.Add(1)
	}
	if t := d.threshold.Load(); t > 0 && took.Milliseconds() >= t {
		d.note(cmd, took)
	}
}

// Rejected counts a command that was refused before it ran. nil is one that there is not.
func (d *Database) Rejected(cmd *command.Command) {
	if cmd != nil {
		d.counter(cmd).rejected.Add(1)
	}
}

// Failed counts an error that a command was answered with, e.g. "WRONGTYPE Operation against ...".
func (d *Database) Failed(text string) { d.failures.add(text) }

// Reset makes everything begin anew but events, as CONFIG RESETSTAT does.
func (d *Database) Reset() {
	for i := range d.commands {
		if d.commands[i].Swap(nil) != nil {
			d.book.counters.Add(-1)
		}
	}
	d.failures.reset()
	for _, n := range []*atomic.Int64{&d.BytesIn, &d.BytesOut, &d.Hits, &d.Misses} {
		n.Store(0)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rates = rates{}
}

// counted lists the counters of the commands that were called or refused, by their names.
func (d *Database) counted() []*counter {
	var all []*counter
	for i := range d.commands {
		if c := d.commands[i].Load(); c != nil {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *counter) int { return strings.Compare(a.command.Full(), b.command.Full()) })
	return all
}

// Calls is how many commands have run.
func (d *Database) Calls() (n int64) {
	for i := range d.commands {
		if c := d.commands[i].Load(); c != nil {
			n += c.calls()
		}
	}
	return n
}

// Failures is how many errors commands were answered with.
func (d *Database) Failures() int64 { return d.failures.all.Load() }

// failures counts errors by their first words.
type failures struct {
	all atomic.Int64
	mu  sync.RWMutex
	of  map[string]*atomic.Int64
}

// kindOf is the word that tells an error's kind.
func kindOf(text string) string {
	kind, _, ok := strings.Cut(text, " ")
	if !ok || kind == "" || len(kind) > maxErrorBytes {
		return "ERR"
	}
	return kind
}

func (f *failures) add(text string) {
	f.all.Add(1)
	kind := kindOf(text)
	f.mu.RLock()
	n := f.of[kind]
	f.mu.RUnlock()
	if n == nil {
		n = f.begin(kind)
	}
	n.Add(1)
}

// begin makes a counter, of which there may be one by now. Beyond maxErrors all kinds are one.
func (f *failures) begin(kind string) *atomic.Int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.of) >= maxErrors && f.of[kind] == nil {
		kind = "OTHER"
	}
	if f.of == nil {
		f.of = map[string]*atomic.Int64{}
	}
	n := cmp.Or(f.of[kind], &atomic.Int64{})
	f.of[strings.Clone(kind)] = n // the text may be part of a large reply
	return n
}

func (f *failures) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all.Store(0)
	f.of = nil
}
