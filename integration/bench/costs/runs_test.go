package costs

import (
	"context"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	kafkastream "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/meter/price/stack"
	"github.com/skystash/skystash/pkg/qstash"
	wake "github.com/skystash/skystash/pkg/qstash/wake/embedded"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// nothing sends nothing.
type nothing struct{}

func (nothing) Send(context.Context, qstash.Delivery) (qstash.Response, error) {
	return qstash.Response{}, store.ErrUnavailable
}

// TestRunsWithNothingToDoReadLittle is about what IDLE.md reckons for the functions that a schedule starts.
func TestRunsWithNothingToDoReadLittle(t *testing.T) {
	open := func() store.Store {
		st, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		return st
	}
	r := redis.New(redis.Config{Store: open()})
	if _, err := r.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "first"}); err != nil {
		t.Fatal(err)
	}
	st := open()
	stream, err := kafkastream.Open(t.Context(), kafkastream.Options{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	k := kafka.New(kafka.Config{Store: st, Stream: stream})
	q := qstash.New(qstash.Config{Store: open(), Sender: nothing{}, Waker: wake.New(wake.Options{})})
	for name, run := range map[string]func(context.Context) (int, error){
		"redis": r.Reclaim, "kafka": k.Reclaim,
		"qstash": func(ctx context.Context) (int, error) { return q.Sweep(ctx, time.Now()) },
	} {
		ctx, units := store.Metering(t.Context())
		if _, err := run(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if u := units.Total(); u.ReadUnits > stack.RunReads || u.WriteUnits > 0 {
			t.Errorf("%s: a run takes %v read and %v write units, where %d are reckoned", name, u.ReadUnits, u.WriteUnits, stack.RunReads)
		} else {
			t.Logf("%s: %+v", name, u)
		}
	}
}
