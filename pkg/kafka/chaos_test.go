package kafka

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	streamembedded "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

var chaosMessages = flag.Int("chaos-messages", 200_000, "messages that the chaos test produces")

// chaos is a stream that kills producers between the reservation and the put, loses
// answers, and delivers twice, out of order and with interruptions.
type chaos struct {
	ingest.Stream
	mu   sync.Mutex
	rand *rand.Rand
	late []ingest.Record // puts of dead producers that arrive some time
	old  []ingest.Delivery

	killed, doubted, failed atomic.Int64
}

func (c *chaos) dice(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

var errKilled = errors.New("killed by the test")

func (c *chaos) Put(ctx context.Context, records []ingest.Record) []error {
	fail := func(err error) []error {
		errs := make([]error, len(records))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	switch c.dice(40) {
	case 0: // the producer dies, its records never arrive
		c.killed.Add(1)
		return fail(errKilled)
	case 1: // it dies, its records arrive long after
		c.killed.Add(1)
		c.mu.Lock()
		c.late = append(c.late, records...)
		c.mu.Unlock()
		return fail(errKilled)
	case 2: // the answer is lost
		c.doubted.Add(1)
		_ = c.Stream.Put(ctx, records)
		return fail(ingest.ErrUnknownOutcome)
	case 3: // what was left behind arrives now
		c.mu.Lock()
		late := c.late
		c.late = nil
		c.mu.Unlock()
		if len(late) > 0 {
			_ = c.Stream.Put(ctx, late)
		}
	case 4: // the stream accepts it twice
		_ = c.Stream.Put(ctx, records)
	}
	return c.Stream.Put(ctx, records)
}

func (c *chaos) Consume(ctx context.Context, handle func(context.Context, []ingest.Delivery) error) error {
	return c.Stream.Consume(ctx, func(ctx context.Context, ds []ingest.Delivery) error {
		// Something old once more, before what is new.
		c.mu.Lock()
		again := append([]ingest.Delivery{}, c.old...)
		c.rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if c.old = append(c.old, ds...); len(c.old) > 40 {
			c.old = c.old[len(c.old)-40:]
		}
		kill := c.rand.IntN(4) == 0
		part := ds[:c.rand.IntN(len(ds)+1)]
		c.mu.Unlock()
		if kill { // the materializer dies after some of it
			c.failed.Add(1)
			ctx, cancel := context.WithCancel(ctx)
			go cancel()
			_ = handle(ctx, part)
			return errKilled
		}
		return handle(ctx, append(again, ds...))
	})
}

// TestNothingAcknowledgedIsLostSwappedOrMoved runs producers and consumers while
// everything that may fail does.
func TestNothingAcknowledgedIsLostSwappedOrMoved(t *testing.T) {
	const producers, partitions, batch = 8, 4, 20
	s := faulty.New(openStore(t), faulty.Plan{})
	inner, err := streamembedded.Open(t.Context(), streamembedded.Options{Store: s, RetryAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	stream := &chaos{Stream: inner, rand: rand.New(rand.NewPCG(1, 2))}
	e := New(Config{Store: s, Stream: stream, ProduceDeadline: 300 * time.Millisecond, ClockMargin: 50 * time.Millisecond})
	c, err := e.CreateCluster(t.Context(), ClusterOptions{ID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateTopic(t.Context(), c, "red", TopicOptions{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	s.SetPlan(faulty.Plan{Seed: 3, Throttle: 0.002, Conflict: 0.002, Unavailable: 0.002, LostApplied: 0.002, LostUnapplied: 0.002, LostLate: 0.002})
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(running) }()

	type place struct {
		partition int
		offset    int64
	}
	var mu sync.Mutex
	acknowledged := map[place]string{}
	var sent atomic.Int64
	var work sync.WaitGroup
	for p := range producers {
		work.Go(func() {
			last := make([]int64, partitions) // greatest offset acknowledged
			for i := range last {
				last[i] = -1
			}
			for n := 0; sent.Add(batch) <= int64(*chaosMessages); n++ {
				partition := n % partitions
				ms := make([]NewMessage, batch)
				for i := range ms {
					ms[i] = NewMessage{Topic: "red", Partition: partition, Timestamp: -1, Value: fmt.Appendf(nil, "%d/%d/%d", p, n, i)}
				}
				got, err := e.Produce(t.Context(), c, ms)
				if err != nil || got[0].Err != nil {
					continue // it may be there or not
				}
				mu.Lock()
				for i, m := range got {
					if m.Offset <= last[partition] {
						t.Errorf("offset %d was acknowledged after %d", m.Offset, last[partition])
					}
					last[partition] = m.Offset
					at := place{partition, m.Offset}
					if old, ok := acknowledged[at]; ok {
						t.Errorf("%v is both %q and %q", at, old, ms[i].Value)
					}
					acknowledged[at] = string(ms[i].Value)
				}
				mu.Unlock()
			}
		})
	}
	// Readers that follow see what everybody else sees, whenever they read it.
	seen := make([]map[place]string, 2)
	produced := make(chan struct{})
	var readers sync.WaitGroup
	for r := range seen {
		seen[r] = map[place]string{}
		readers.Go(func() {
			next := make([]int64, partitions)
			for finished := false; ; {
				last := finished && drained(t, e, c, partitions) // nothing comes after this any more
				var from []TopicOffset
				for p, offset := range next {
					from = append(from, TopicOffset{TopicPartition{"red", p}, offset})
				}
				got, err := e.Fetch(t.Context(), c, from, 50*time.Millisecond)
				if err != nil {
					continue // of the store
				}
				for _, m := range got {
					if m.Offset < next[m.Partition] {
						t.Errorf("partition %d: offset %d after %d", m.Partition, m.Offset, next[m.Partition])
					}
					next[m.Partition] = m.Offset + 1
					seen[r][place{m.Partition, m.Offset}] = string(m.Value)
				}
				if len(got) > 0 {
					continue
				}
				if last {
					return
				}
				select {
				case <-produced:
					finished = true
				default:
				}
			}
		})
	}
	work.Wait()
	s.SetPlan(faulty.Plan{})
	s.Flush()
	close(produced)
	readers.Wait()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	t.Logf("%d of %d acknowledged; %d producers killed, %d answers lost, %d materializers killed, store %+v",
		len(acknowledged), *chaosMessages, stream.killed.Load(), stream.doubted.Load(), stream.failed.Load(), s.Counts())
	for r := range seen {
		for at, value := range acknowledged {
			if seen[r][at] != value {
				t.Errorf("reader %d: %v is %q, acknowledged was %q", r, at, seen[r][at], value)
				break
			}
		}
		for at, value := range seen[r] {
			if seen[1-r][at] != value {
				t.Errorf("%v is %q for reader %d, %q for the other", at, value, r, seen[1-r][at])
				break
			}
		}
	}
	if len(acknowledged) < *chaosMessages/2 {
		t.Errorf("only %d messages were acknowledged", len(acknowledged))
	}
}

// drained reports whether all that was reserved is in the logs or void.
func drained(t *testing.T, e *Engine, c *Cluster, partitions int) bool {
	for p := range partitions {
		topic, err := e.Topic(t.Context(), c, "red")
		if err != nil {
			t.Error(err)
			return true
		}
		heads, err := e.heads(t.Context(), []string{topic.log(p)})
		if err != nil {
			t.Error(err)
			return true
		}
		if heads[0].mark < heads[0].next {
			return false
		}
	}
	return true
}
