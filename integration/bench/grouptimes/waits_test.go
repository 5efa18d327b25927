package grouptimes

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

const (
	waiting  = 20 // groups
	messages = 200
	every    = 50 * time.Millisecond
)

const waitsPreface = `
## From producing to consuming, with 20 groups waiting

A producer sends 200 messages to a topic of one partition of a local server, one every 50 ms, while an instance of each of 20 groups
waits for them. Each of the 20 gets each message; the time is from when the producer begins its request until the instance has
the message. Goals: a median under 5 ms, and a 99th percentile under 50 ms.

| client | messages | median | 99th percentile | longest |
| --- | --: | --: | --: | --: |
`

// waiter is a way for messages to go.
type waiter struct {
	name string
	// open starts an instance of each group. They call got with the number of a message until the context ends.
	open func(ctx context.Context, b *testing.B, got func(group, message int)) (produce func(message int) error)
}

var waiters = []waiter{
	{"REST", waitHTTP},
	{"franz-go", waitNative},
}

func waitHTTP(ctx context.Context, b *testing.B, got func(group, message int)) func(int) error {
	s := startServer(b, "red:1")
	for g := range waiting {
		path, header := fmt.Sprintf("/consume/g%d/i", g), map[string]string{"Kafka-Auto-Offset-Reset": "latest"}
		consume := func(timeout int) error {
			var answer []struct{ Value string }
			err := s.call(ctx, path, header, map[string]any{"topic": "red", "timeout": timeout}, &answer)
			for _, m := range answer {
				data, err := hex.DecodeString(m.Value)
				if err != nil {
					return err
				}
				got(g, int(binary.BigEndian.Uint32(data)))
			}
			return err
		}
		if err := consume(1); err != nil { // joins
			b.Fatal(err)
		}
		go func() {
			for ctx.Err() == nil {
				if err := consume(20_000); err != nil && ctx.Err() == nil {
					b.Errorf("group %d: %v", g, err)
					return
				}
			}
		}()
	}
	return func(message int) error {
		var answer []struct{ Offset int64 }
		return s.call(ctx, "/produce", nil, map[string]any{"topic": "red", "value": hex.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(message)))}, &answer)
	}
}

func waitNative(ctx context.Context, b *testing.B, got func(group, message int)) func(int) error {
	s := startServer(b, "red:1")
	client := func(opts ...kgo.Opt) *kgo.Client {
		cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.Var("KAFKA_BROKERS")),
			kgo.SASL(plain.Auth{User: s.Var("KAFKA_USERNAME"), Pass: s.Var("KAFKA_PASSWORD")}.AsMechanism()))...)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(cl.Close)
		return cl
	}
	var joined sync.WaitGroup
	for g := range waiting {
		joined.Add(1)
		assigned := sync.OnceFunc(joined.Done)
		cl := client(kgo.ConsumerGroup(fmt.Sprint("g", g)), kgo.ConsumeTopics("red"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned() }))
		go func() {
			for ctx.Err() == nil {
				cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got(g, int(binary.BigEndian.Uint32(r.Value))) })
			}
		}()
	}
	joined.Wait()
	producer := client(kgo.DefaultProduceTopic("red"), kgo.ProducerLinger(0))
	return func(message int) error {
		return producer.ProduceSync(ctx, &kgo.Record{Value: binary.BigEndian.AppendUint32(nil, uint32(message))}).FirstErr()
	}
}

// measure returns cells of the table.
func (w waiter) measure(b *testing.B) string {
	ctx, stop := context.WithTimeout(b.Context(), time.Minute)
	defer stop()
	var mu sync.Mutex
	sent := map[int]time.Time{}
	var t times
	all := make(chan struct{})
	produce := w.open(ctx, b, func(group, message int) {
		mu.Lock()
		at := sent[message]
		mu.Unlock()
		if message == 0 {
			return // it warms connections up
		}
		t.add(time.Since(at))
		if t.len() == messages*waiting {
			close(all)
		}
	})
	if err := produce(0); err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Second)
	for m := range messages {
		mu.Lock()
		sent[m+1] = time.Now()
		mu.Unlock()
		if err := produce(m + 1); err != nil {
			b.Fatal(err)
		}
		time.Sleep(every)
	}
	select {
	case <-all:
	case <-ctx.Done():
		b.Errorf("%d of %d messages have come", t.len(), messages*waiting)
	}
	t.report(b, w.name)
	b.ReportMetric(0, "ns/op")
	return t.row()
}
