package redis_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// complaints fails a test for each line of a log.
type complaints struct{ t *testing.T }

func (c complaints) Write(b []byte) (int, error) {
	c.t.Errorf("logged: %s", b)
	return len(b), nil
}

// A bubble of synctest fails if a goroutine is left in it.
func TestCloseEndsWhatWaitsAndJoinsAllGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		e := redis.New(redis.Config{Store: st, RecordTTL: time.Second, MaxBlock: time.Hour, Logger: slog.New(slog.NewTextHandler(complaints{t}, nil))})
		db, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "test"})
		if err != nil {
			t.Fatal(err)
		}
		subscribe := func() (*redis.Subscription, error) {
			return e.Subscribe(t.Context(), db, redis.Access{}, []string{"news"}, []string{"n*"})
		}
		sub, err := subscribe()
		if err != nil {
			t.Fatal(err)
		}
		monitor, err := e.Monitor(t.Context(), db, redis.Access{})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2)
		for _, s := range []*redis.Subscription{sub, monitor} {
			go func() {
				_, err := s.Next(t.Context())
				ended <- err
			}()
		}
		popped := make(chan string, 1)
		go func() {
			var w resp.Writer
			if err := e.Do(t.Context(), db, redis.Access{}, strings.Fields("BLPOP nothing 0"), &w); err != nil {
				t.Error(err)
			}
			popped <- string(w.Buf)
		}()
		time.Sleep(2 * time.Minute) // of the bubble: subscriptions are renewed meanwhile
		begin := time.Now()
		e.Close()
		for range cap(ended) {
			if err := <-ended; !errors.Is(err, redis.ErrClosed) {
				t.Errorf("Next returns %v", err)
			}
		}
		if reply := render(t, []byte(<-popped)); reply != "(nil)" {
			t.Errorf("BLPOP replies %q", reply)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("that took %v", waited)
		}
		// Whoever has them closes them, and nothing begins any more.
		sub.Close()
		monitor.Close()
		late, err := subscribe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := late.Next(t.Context()); !errors.Is(err, redis.ErrClosed) {
			t.Errorf("a late subscription's Next returns %v", err)
		}
		late.Close()
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
