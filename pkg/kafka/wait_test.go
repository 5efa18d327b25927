package kafka

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	streamembedded "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// bubble is an engine in a bubble, with one topic.
func bubble(t *testing.T, partitions int) (*Engine, *Cluster, store.Store) {
	t.Helper()
	s, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := streamembedded.Open(t.Context(), streamembedded.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	e := New(Config{Store: s, Stream: stream, RecordTTL: time.Second})
	c, err := e.CreateCluster(t.Context(), ClusterOptions{ID: "c1", MaxPartitions: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateTopic(t.Context(), c, "red", TopicOptions{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return e, c, s
}

// idle is what a consumer reads that finds nothing in a minute of polls of 20 seconds.
func idle(t *testing.T, e *Engine, c *Cluster) float64 {
	t.Helper()
	consume := func(ctx context.Context, timeout time.Duration) {
		got, err := e.Consume(ctx, c, "g", "i", []string{"red"}, auto, timeout)
		if err != nil || len(got) > 0 {
			t.Errorf("%d messages, %v", len(got), err)
		}
	}
	consume(t.Context(), 0) // takes it in
	consume(t.Context(), time.Second)
	ctx, meter := store.Metering(t.Context())
	begun := time.Now()
	for range 3 {
		consume(ctx, 20*time.Second)
	}
	if waited := time.Since(begun); waited < 59*time.Second {
		t.Errorf("three polls of 20 s took %v", waited)
	}
	return meter.Total().ReadUnits
}

// Whoever looks for what others do reads at most one and a half units a second, whatever the number of
// partitions. (A cluster's and a topic's records, which all calls of a process share, are in it.)
func TestIdleConsumerReadsLittle(t *testing.T) {
	for _, partitions := range []int{1, 3, 4, 12, 100} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, c, s := bubble(t, partitions)
				defer s.Close()
				defer e.Close()
				if units := idle(t, e, c); units > 1.5*60 {
					t.Errorf("%v read units a second", units/60)
				}
			})
		})
	}
}

// A process that materializes the stream itself is told. A group's item has to be looked at from time
// to time; a fetch reads nothing while it waits.
func TestIdleConsumerOfALongLivedProcessReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, c, s := bubble(t, 100)
		defer s.Close()
		defer e.Close()
		ended := make(chan error, 1)
		go func() { ended <- e.Run(t.Context()) }()
		synctest.Wait()
		idle(t, e, c)
		var from []TopicOffset
		for p := range 100 {
			from = append(from, TopicOffset{TopicPartition{"red", p}, 0})
		}
		fetch := func(timeout time.Duration) store.Usage {
			ctx, meter := store.Metering(t.Context())
			if got, err := e.Fetch(ctx, c, from, timeout); err != nil || len(got) > 0 {
				t.Errorf("%d messages, %v", len(got), err)
			}
			return meter.Total()
		}
		fetch(0) // reads the topic's record
		if short, long := fetch(0), fetch(time.Hour); short != long {
			t.Errorf("an hour of waiting costs %+v, none %+v", long, short)
		}
		e.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What somebody else moves into the logs is found, whatever the waiter looks at.
func TestWaiterFindsWhatOthersMoveIntoTheLog(t *testing.T) {
	for _, partitions := range []int{1, 3, 12, 100} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, c, s := bubble(t, partitions)
				defer s.Close()
				defer e.Close()
				idle(t, e, c)
				stream, err := streamembedded.Open(t.Context(), streamembedded.Options{Store: s})
				if err != nil {
					t.Fatal(err)
				}
				other := New(Config{Store: s, Stream: stream})
				defer other.Close()
				ended := make(chan error, 1)
				go func() { ended <- other.Run(t.Context()) }()
				for n := range 20 {
					done := make(chan []Message)
					go func() {
						got, err := e.Consume(t.Context(), c, "g", "i", []string{"red"}, auto, time.Minute)
						if err != nil {
							t.Error(err)
						}
						done <- got
					}()
					time.Sleep(time.Duration(n) * 700 * time.Millisecond)
					if _, err := other.Produce(t.Context(), c, []NewMessage{{Topic: "red", Partition: 7 * n % partitions, Value: []byte("x")}}); err != nil {
						t.Fatal(err)
					}
					produced := time.Now()
					if got := <-done; len(got) != 1 || time.Since(produced) > 3*time.Second {
						t.Errorf("%d messages after %v", len(got), time.Since(produced))
					}
				}
				other.Close()
				<-ended
			})
		})
	}
}
