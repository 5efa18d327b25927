package kafka

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	streams "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/leaving"
)

// complaints fails a test for each line of a log.
type complaints struct{ t *testing.T }

func (c complaints) Write(b []byte) (int, error) {
	c.t.Errorf("logged: %s", b)
	return len(b), nil
}

// A bubble of synctest fails if a goroutine is left in it.
func TestCloseEndsPollsAndRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(complaints{t}, nil))
		st, err := embedded.Open(embedded.Options{InMemory: true, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := streams.Open(t.Context(), streams.Options{Store: st, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		e := New(Config{Store: st, Stream: stream, Logger: log})
		c, err := e.CreateCluster(t.Context(), ClusterOptions{ID: "c", Name: "c", MaxPartitions: 10})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.CreateTopic(t.Context(), c, "topic", TopicOptions{Partitions: 2}); err != nil {
			t.Fatal(err)
		}
		ran := make(chan error)
		go func() { ran <- e.Run(context.Background()) }()
		polls := map[string]func() ([]Message, error){
			"Fetch": func() ([]Message, error) {
				return e.Fetch(t.Context(), c, []TopicOffset{{TopicPartition{"topic", 0}, 0}}, time.Hour)
			},
			"Consume": func() ([]Message, error) {
				return e.Consume(t.Context(), c, "group", "one", []string{"topic"}, InstanceOptions{Reset: ResetLatest, SessionTimeout: MaxSessionTimeout}, time.Hour)
			},
		}
		ended := make(chan struct{})
		for name, poll := range polls {
			go func() {
				defer func() { ended <- struct{}{} }()
				if out, err := poll(); err != nil || len(out) > 0 {
					t.Errorf("%s returns %d messages and %v", name, len(out), err)
				}
			}()
		}
		time.Sleep(time.Minute) // of the bubble
		begin := time.Now()
		e.Close()
		for range polls {
			<-ended
		}
		if err := <-ran; err != nil {
			t.Errorf("Run returns %v", err)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("that took %v", waited)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Errorf("Run of a closed engine returns %v", err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// Otherwise nobody in the group would read the message before the instance has expired.
func TestPositionsDoNotMoveForAClientThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := streams.Open(t.Context(), streams.Options{Store: st})
		if err != nil {
			t.Fatal(err)
		}
		e := New(Config{Store: st, Stream: stream})
		c, err := e.CreateCluster(t.Context(), ClusterOptions{ID: "c", Name: "c"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.CreateTopic(t.Context(), c, "topic", TopicOptions{Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		ran := make(chan error)
		go func() { ran <- e.Run(context.Background()) }()
		consume := func(ctx context.Context, wait time.Duration) ([]Message, error) {
			return e.Consume(ctx, c, "group", "one", []string{"topic"}, InstanceOptions{Reset: ResetEarliest, SessionTimeout: time.Minute}, wait)
		}
		ctx, ended := &leaving.Context{Context: t.Context()}, make(chan struct{})
		go func() {
			defer close(ended)
			if out, err := consume(ctx, 10*time.Second); len(out) > 0 {
				t.Errorf("a client that has gone gets %d messages (%v)", len(out), err)
			}
		}()
		time.Sleep(time.Second) // of the bubble
		ctx.Gone.Store(true)
		if _, err := e.Produce(t.Context(), c, []NewMessage{{Topic: "topic", Value: []byte("v")}}); err != nil {
			t.Fatal(err)
		}
		<-ended
		if out, err := consume(t.Context(), 10*time.Second); err != nil || len(out) != 1 {
			t.Errorf("the next client gets %d messages (%v), want 1", len(out), err)
		}
		e.Close()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
