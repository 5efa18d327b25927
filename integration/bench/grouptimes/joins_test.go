package grouptimes

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	storeembedded "github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
)

const (
	instances   = 200
	producers   = 4
	beforeFor   = 3 * time.Second
	storeTakes  = 5 * time.Millisecond
	betweenThem = 5 * time.Millisecond // pause of a producer after each call
)

const joinsPreface = `
## Producing while 200 instances join one group at once

Four producers send one message at a time to a topic of 200 partitions, alone for three seconds, and then while 200 instances join a
group that reads the topic. "Joined" is when the last of them has its partition. In the first two rows the engine runs over a
store that takes 5 ms a call, in one process and in as many as there are instances (all in one program here); in the third,
everything goes over HTTP to a local server. Goals: all have partitions within 5 s, and the median does not double. That a call of
Produce waits for no join is asserted by pkg/kafka's tests, apart from the machine.

| | joined after | alone: calls | median | 99th percentile | longest | meanwhile: calls | median | 99th percentile | longest |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |
`

// crowd is a way to produce and to join.
type crowd struct {
	name string
	open func(b *testing.B) (produce func(context.Context, int) error, join func(context.Context, int) (bool, error))
}

var crowds = []crowd{
	{"one process", func(b *testing.B) (func(context.Context, int) error, func(context.Context, int) (bool, error)) {
		return overSlowStore(b, 1)
	}},
	{"200 processes", func(b *testing.B) (func(context.Context, int) error, func(context.Context, int) (bool, error)) {
		return overSlowStore(b, instances)
	}},
	{"local server, HTTP", overHTTP},
}

// overSlowStore joins from a number of engines, of which the first one also produces.
func overSlowStore(b *testing.B, engines int) (produce func(context.Context, int) error, join func(context.Context, int) (bool, error)) {
	inner, err := storeembedded.Open(storeembedded.Options{InMemory: true})
	if err != nil {
		b.Fatal(err)
	}
	st := slow.New(inner, slow.Options{Latency: storeTakes})
	stream, err := embedded.Open(b.Context(), embedded.Options{Store: inner})
	if err != nil {
		b.Fatal(err)
	}
	var all []*kafka.Engine
	for range engines {
		all = append(all, kafka.New(kafka.Config{Store: st, Stream: stream, RecordTTL: time.Second}))
	}
	c, err := all[0].CreateCluster(b.Context(), kafka.ClusterOptions{ID: "c1", MaxPartitions: 1000})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := all[0].CreateTopic(b.Context(), c, "red", kafka.TopicOptions{Partitions: instances}); err != nil {
		b.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- all[0].Run(context.Background()) }()
	b.Cleanup(func() {
		for _, e := range all {
			e.Close()
		}
		if err := <-ran; err != nil {
			b.Error(err)
		}
		st.Close()
	})
	produce = func(ctx context.Context, i int) error {
		out, err := all[0].Produce(ctx, c, []kafka.NewMessage{{Topic: "red", Partition: i % instances, Timestamp: -1, Value: []byte("a")}})
		if err != nil {
			return err
		}
		return out[0].Err
	}
	o := kafka.InstanceOptions{AutoCommit: true, AutoCommitInterval: 5 * time.Second, Reset: kafka.ResetLatest, SessionTimeout: 30 * time.Second}
	join = func(ctx context.Context, i int) (bool, error) {
		_, err := all[i%engines].Consume(ctx, c, "g", fmt.Sprintf("i%03d", i), []string{"red"}, o, 0)
		return err == nil, err
	}
	return produce, join
}

func overHTTP(b *testing.B) (produce func(context.Context, int) error, join func(context.Context, int) (bool, error)) {
	s := startServer(b, fmt.Sprintf("red:%d", instances))
	produce = func(ctx context.Context, i int) error {
		var answer []struct{ Offset int64 }
		return s.call(ctx, "/produce", nil, map[string]any{"topic": "red", "partition": i % instances, "value": "a"}, &answer)
	}
	join = func(ctx context.Context, i int) (bool, error) {
		var answer []any
		err := s.call(ctx, fmt.Sprintf("/consume/g/i%03d", i), nil, map[string]any{"topic": "red", "timeout": 1}, &answer)
		return err == nil, err
	}
	return produce, join
}

// produceUntil runs the producers until the context ends.
func produceUntil(ctx context.Context, b *testing.B, produce func(context.Context, int) error) (t *times, wait func()) {
	t = &times{}
	var working sync.WaitGroup
	for p := range producers {
		working.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				at := time.Now()
				if err := produce(context.WithoutCancel(ctx), i*producers+p); err != nil {
					b.Errorf("produce: %v", err)
					return
				}
				t.add(time.Since(at))
				time.Sleep(betweenThem)
			}
		})
	}
	return t, working.Wait
}

// measure returns cells of the table.
func (c crowd) measure(b *testing.B) string {
	produce, join := c.open(b)
	ctx, stop := context.WithTimeout(b.Context(), beforeFor)
	defer stop()
	alone, wait := produceUntil(ctx, b, produce)
	wait()
	ctx, stop = context.WithCancel(b.Context())
	defer stop()
	beside, wait := produceUntil(ctx, b, produce)
	began := time.Now()
	var joining sync.WaitGroup
	for i := range instances {
		joining.Go(func() {
			if ok, err := join(b.Context(), i); !ok {
				b.Errorf("instance %d: %v", i, err)
			}
		})
	}
	joining.Wait()
	took := time.Since(began)
	stop()
	wait()
	alone.report(b, "alone")
	beside.report(b, "beside")
	b.ReportMetric(ms(took), "joined-ms")
	b.ReportMetric(0, "ns/op")
	return fmt.Sprintf("%.0f | %s | %s", ms(took), alone.row(), beside.row())
}
