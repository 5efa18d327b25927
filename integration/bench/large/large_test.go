package large

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

var (
	elements = flag.Int("elements", 20_000, "`number` of elements of the large collections")
	stores   = flag.String("stores", "embedded", "comma-separated `list` of the stores: embedded, dynamo")
	update   = flag.Bool("update", false, "write ../LARGE.md; meant for a million elements; the tables are those of the last store")
)

// smaller is the size of the collections that the large ones are compared with.
func smaller() int { return min(*elements/10, 10_000) }

// pageSize is the number of elements that are asked for when everything is read in pages.
const pageSize = 1000

// tries is how often each command is measured, on other elements each time.
const tries = 5

func TestCostDoesNotDependOnTheSize(t *testing.T) {
	var all []result
	for name := range strings.SplitSeq(*stores, ",") {
		for _, c := range collections() {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				r := result{store: name, collection: c}
				r.small = measure(t, open(t, name), c, smaller())
				r.large = measure(t, open(t, name), c, *elements)
				r.check(t)
				all = append(all, r)
			})
		}
	}
	if !*update || t.Failed() {
		return
	}
	if err := os.WriteFile("../LARGE.md", []byte(report(all)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, name string) store.Store {
	t.Helper()
	switch name {
	case "embedded":
		st, err := embedded.Open(embedded.Options{Dir: t.TempDir(), SyncEvery: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		return st
	case "dynamo":
		return dynamolocal.Open(t)
	}
	t.Fatalf("-stores: no store is called %s", name)
	return nil
}

// cost is what a command asks of the store.
type cost struct {
	calls         int
	reads, writes float64 // request units
	reply         int     // bytes
	heap          uint64  // bytes that the process held at most, beyond what it held before
	refused       string  // the error that it was answered with
}

func (c *cost) raise(d cost) {
	c.calls, c.reply, c.heap = max(c.calls, d.calls), max(c.reply, d.reply), max(c.heap, d.heap)
	c.reads, c.writes = max(c.reads, d.reads), max(c.writes, d.writes)
}

// measured is what there is to know about a collection of one size.
type measured struct {
	size     int
	build    cost
	commands map[string]cost // the most of several tries
	pages    int
	paging   cost // of the dearest page; the heap is that of all
	all      cost
	del      cost
	reclaim  cost
	items    int // that the reclaimer deleted
}

// bench is an engine with one collection, under the key k.
type bench struct {
	t      *testing.T
	store  store.Store
	engine *redis.Engine
	db     *redis.Database
	size   int
	used   int // elements that commands were given

	mu  sync.Mutex
	now time.Time
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func measure(t *testing.T, st store.Store, c collection, size int) measured {
	t.Helper()
	b := &bench{t: t, store: st, size: size, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	// The same numbers for every size: a random place near the end of a collection costs a call more.
	b.engine = redis.New(redis.Config{Store: st, Now: b.clock, Random: rand.NewPCG(1, 2).Uint64})
	var err error
	if b.db, err = b.engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "large"}); err != nil {
		t.Fatal(err)
	}
	m := measured{size: size, commands: map[string]cost{}}
	progress(t, "%s of %d: building", c.name, size)
	args := []string{c.add, "k"}
	for i := range size {
		args = append(args, c.element(i)...)
	}
	m.build = b.run(args)
	args = nil
	b.advance(time.Minute)

	progress(t, "%s of %d: reading in pages", c.name, size)
	b.pages(c, &m)
	progress(t, "%s of %d: reading at once", c.name, size)
	m.all = b.run(strings.Fields(c.all))
	progress(t, "%s of %d: single elements", c.name, size)
	for _, line := range append(lines(c.commands), growing(c.name)...) {
		var most cost
		for range tries {
			most.raise(b.run(b.fill(line)))
			b.advance(time.Minute)
		}
		m.commands[line] = most
	}
	progress(t, "%s of %d: deleting", c.name, size)
	items := c.items * int(b.number(c.size))
	m.del = b.run([]string{"DEL", "k"})
	b.advance(time.Hour)
	m.reclaim = b.watch(func(ctx context.Context) error {
		m.items, err = b.engine.Reclaim(ctx)
		return err
	})
	if m.items != items {
		t.Errorf("%d items were reclaimed, want %d", m.items, items)
	}
	b.advance(100 * time.Hour) // by then, everything that was noted is due
	if n, err := b.engine.Reclaim(t.Context()); n > 0 || err != nil {
		t.Errorf("%d more items were reclaimed later, error %v", n, err)
	}
	return m
}

// fill gives a command its elements.
func (b *bench) fill(line string) []string {
	args := strings.Fields(line)
	for i, a := range args {
		switch a {
		case "{i}":
			// From all over the collection, but for the ends, which other commands take away.
			b.used++
			args[i] = field((b.size/3 + b.used*(b.size/251+1)) % b.size)
		case "{new}":
			b.used++
			args[i] = fmt.Sprintf("new%d", b.used)
		case "{middle}":
			args[i] = fmt.Sprint(b.size / 2)
		}
	}
	return args
}

// run runs a command and returns what it cost.
func (b *bench) run(args []string) cost {
	b.t.Helper()
	var w resp.Writer
	c := b.watch(func(ctx context.Context) error { return b.engine.Do(ctx, b.db, redis.Access{}, args, &w) })
	c.reply = len(w.Buf)
	c.refused, _ = resp.ErrorText(w.Buf)
	return c
}

// watch runs something and returns what it cost.
func (b *bench) watch(run func(ctx context.Context) error) cost {
	b.t.Helper()
	var meter store.Meter
	heap := watchHeap()
	err := run(store.WithMeter(b.t.Context(), &meter))
	c := cost{heap: heap()}
	if err != nil {
		b.t.Fatal(err)
	}
	u := meter.Total()
	c.calls, c.reads, c.writes = u.Calls, u.ReadUnits, u.WriteUnits
	return c
}

// pages reads everything in pages.
func (b *bench) pages(c collection, m *measured) {
	b.t.Helper()
	heap := watchHeap()
	for cursor, read := "0", 0; ; {
		var w resp.Writer
		var meter store.Meter
		ctx := store.WithMeter(b.t.Context(), &meter)
		if err := b.engine.Do(ctx, b.db, redis.Access{}, c.page(cursor, read, pageSize), &w); err != nil {
			b.t.Fatal(err)
		}
		reply, err := resp.Decode(w.Buf)
		if err != nil {
			b.t.Fatal(err)
		}
		page, ok := reply.([]any)
		if !ok {
			b.t.Fatalf("page is %.200v", reply)
		}
		scan := strings.HasSuffix(c.page("", 0, 0)[0], "SCAN")
		if scan {
			cursor, page = fmt.Sprint(page[0]), page[1].([]any)
		}
		u := meter.Total()
		m.paging.raise(cost{calls: u.Calls, reads: u.ReadUnits, reply: len(w.Buf)})
		m.pages++
		read += len(page) / c.parts
		if scan && cursor == "0" || !scan && len(page) < pageSize {
			if read != m.size {
				b.t.Errorf("the pages have %d elements, want %d", read, m.size)
			}
			break
		}
	}
	m.paging.heap = heap()
}

// number runs a command that replies with a number.
func (b *bench) number(line string) int64 {
	b.t.Helper()
	var w resp.Writer
	if err := b.engine.Do(b.t.Context(), b.db, redis.Access{}, strings.Fields(line), &w); err != nil {
		b.t.Fatal(err)
	}
	reply, err := resp.Decode(w.Buf)
	n, ok := reply.(int64)
	if !ok {
		b.t.Fatalf("%s: reply %v, error %v", line, reply, err)
	}
	return n
}

// progress tells somebody who waits for a million what is going on.
func progress(t *testing.T, format string, args ...any) {
	if *elements > 100_000 {
		fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().Format(time.TimeOnly), t.Name(), fmt.Sprintf(format, args...))
	}
}
