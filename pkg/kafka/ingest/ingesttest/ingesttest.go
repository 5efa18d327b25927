// Package ingesttest is the conformance suite of the port pkg/kafka/ingest.
package ingesttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
)

// timeout bounds what should take a moment.
const timeout = 5 * time.Minute

// Run checks that a stream keeps every promise of the port. Each call of open
// returns an empty stream.
func Run(t *testing.T, open func(t *testing.T) ingest.Stream) {
	t.Helper()
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s ingest.Stream)
	}{
		{"every record accepted is delivered as it was", delivers},
		{"the largest record is delivered, and a larger one refused", largest},
		{"records of one key come in order", ordered},
		{"what a handler fails on is delivered again, before what follows it", again},
		{"the tail has what was accepted before, also while it is being consumed", tail},
		{"consuming ends with its context", ends},
		{"no put succeeds after its context", canceled},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// put appends records that must be accepted.
func put(t testing.TB, s ingest.Stream, records ...ingest.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for i, err := range s.Put(ctx, records) {
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

func record(key, data string) ingest.Record { return ingest.Record{Key: key, Data: []byte(data)} }

// Collector consumes a stream into memory.
type Collector struct {
	mu   sync.Mutex
	all  []ingest.Delivery
	seen map[string]bool // sequence numbers
	more chan struct{}
}

// Collect consumes a stream until the test ends. fail, if not nil, may make the handler fail.
func Collect(t testing.TB, s ingest.Stream, fail func([]ingest.Delivery) error) *Collector {
	c := &Collector{seen: map[string]bool{}, more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Consume(ctx, func(_ context.Context, ds []ingest.Delivery) error {
			if fail != nil {
				if err := fail(ds); err != nil {
					return err
				}
			}
			c.mu.Lock()
			for _, d := range ds {
				if id := d.Key + " " + d.Sequence; !c.seen[id] {
					c.seen[id] = true
					c.all = append(c.all, d)
				}
			}
			c.mu.Unlock()
			select {
			case c.more <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("consuming ended with %v", err)
		}
	})
	return c
}

// Wait returns once there are n records, each counted once.
func (c *Collector) Wait(t testing.TB, n int) []ingest.Delivery {
	t.Helper()
	end := time.After(timeout)
	for {
		c.mu.Lock()
		all := slices.Clone(c.all)
		c.mu.Unlock()
		if len(all) >= n {
			return all
		}
		select {
		case <-c.more:
		case <-end:
			t.Fatalf("%d records came, want %d", len(all), n)
		}
	}
}

func delivers(t *testing.T, s ingest.Stream) {
	before := time.Now()
	want := map[string]string{"a": "1", "key with spaces": "\x00\xff", "ü": "x"}
	for k, d := range want {
		put(t, s, record(k, d))
	}
	for _, d := range Collect(t, s, nil).Wait(t, len(want)) {
		if want[d.Key] != string(d.Data) || d.Sequence == "" {
			t.Errorf("delivered %q %q with sequence number %q", d.Key, d.Data, d.Sequence)
		}
		if d.Arrived.Before(before.Add(-time.Minute)) || d.Arrived.After(time.Now().Add(time.Minute)) {
			t.Errorf("arrived at %v", d.Arrived)
		}
	}
}

func largest(t *testing.T, s ingest.Stream) {
	data := make([]byte, ingest.MaxData)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	put(t, s, ingest.Record{Key: "large", Data: data}, record("small", "x"))
	errs := s.Put(t.Context(), []ingest.Record{record("small", "y"), {Key: "large", Data: append(data, 0)}})
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], ingest.ErrTooLarge) {
		t.Errorf("put of one too large: %v", errs)
	}
	got := Collect(t, s, nil).Wait(t, 3)
	i := slices.IndexFunc(got, func(d ingest.Delivery) bool { return d.Key == "large" })
	if i < 0 || !bytes.Equal(got[i].Data, data) {
		t.Error("the largest record is damaged")
	}
}

func ordered(t *testing.T, s ingest.Stream) {
	const keys, each = 5, 40
	c := Collect(t, s, nil)
	var writers sync.WaitGroup
	for k := range keys {
		writers.Go(func() {
			for i := range each {
				put(t, s, record(fmt.Sprint("key", k), fmt.Sprint(i)))
			}
		})
	}
	writers.Wait()
	next := map[string]int{}
	for _, d := range c.Wait(t, keys*each) {
		if string(d.Data) != fmt.Sprint(next[d.Key]) {
			t.Fatalf("%s: record %s, want %d", d.Key, d.Data, next[d.Key])
		}
		next[d.Key]++
	}
}

func again(t *testing.T, s ingest.Stream) {
	var mu sync.Mutex
	failures, first := 0, map[string]bool{}
	c := Collect(t, s, func(ds []ingest.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range ds {
			if id := d.Sequence; !first[id] && failures < 10 {
				first[id] = true
				failures++
				return errors.New("made to fail by the test")
			}
		}
		return nil
	})
	for i := range 20 {
		put(t, s, record("k", fmt.Sprint(i)))
	}
	for i, d := range c.Wait(t, 20) {
		if string(d.Data) != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, d.Data)
		}
	}
}

// tailOf reads the tail and leaves out other keys' records.
func tailOf(t *testing.T, s ingest.Stream, key string, since time.Time) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var got []string
	err := s.Tail(ctx, key, since, func(ds []ingest.Delivery) error {
		for _, d := range ds {
			if d.Key == key {
				got = append(got, string(d.Data))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func tail(t *testing.T, s ingest.Stream) {
	since := time.Now().Add(-time.Minute)
	if got := tailOf(t, s, "k", since); len(got) > 0 {
		t.Errorf("an empty stream has %q", got)
	}
	// A consumer that never gets anywhere.
	Collect(t, s, func([]ingest.Delivery) error { return errors.New("made to fail by the test") })
	var want []string
	for i := range 10 {
		put(t, s, record("k", fmt.Sprint(i)), record("other", "x"))
		want = append(want, fmt.Sprint(i))
		if got := tailOf(t, s, "k", since); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func ends(t *testing.T, s ingest.Stream) {
	ctx, cancel := context.WithCancel(t.Context())
	put(t, s, record("k", "1"))
	err := s.Consume(ctx, func(context.Context, []ingest.Delivery) error {
		cancel()
		return errors.New("made to fail by the test")
	})
	if err != nil {
		t.Errorf("ended with %v", err)
	}
}

func canceled(t *testing.T, s ingest.Stream) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if errs := s.Put(ctx, []ingest.Record{record("k", "1")}); len(errs) != 1 || errs[0] == nil {
		t.Errorf("errors %v", errs)
	}
}
