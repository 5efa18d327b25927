package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/kafka/ingest/ingesttest"
	"github.com/skystash/skystash/pkg/store"
	storeembedded "github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

func openStore(t testing.TB) store.Store {
	t.Helper()
	s, err := storeembedded.Open(storeembedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t testing.TB, s store.Store) *embedded.Stream {
	t.Helper()
	stream, err := embedded.Open(t.Context(), embedded.Options{Store: s, RetryAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestConformance(t *testing.T) {
	ingesttest.Run(t, func(t *testing.T) ingest.Stream { return open(t, openStore(t)) })
}

func TestWhatWasNotHandledIsDeliveredAfterARestart(t *testing.T) {
	s := openStore(t)
	first := open(t, s)
	for i := range 10 {
		if errs := first.Put(t.Context(), []ingest.Record{{Key: "k", Data: fmt.Append(nil, i)}}); errs != nil {
			t.Fatal(errs)
		}
	}
	second := open(t, s)
	if errs := second.Put(t.Context(), []ingest.Record{{Key: "k", Data: []byte("10")}}); errs != nil {
		t.Fatal(errs)
	}
	for i, d := range ingesttest.Collect(t, second, nil).Wait(t, 11) {
		if string(d.Data) != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, d.Data)
		}
	}
}

func TestHandledRecordsLeaveNothingBehind(t *testing.T) {
	s := openStore(t)
	stream := open(t, s)
	put := func(n int) {
		if errs := stream.Put(t.Context(), []ingest.Record{{Key: "k", Data: make([]byte, n)}}); errs != nil {
			t.Fatal(errs)
		}
	}
	put(1)
	put(1 << 19)
	ctx, cancel := context.WithCancel(t.Context())
	handled := 0
	err := stream.Consume(ctx, func(_ context.Context, ds []ingest.Delivery) error {
		if handled += len(ds); handled == 2 {
			put(1) // what arrives after this is delivered by another call
		}
		if handled > 2 {
			cancel()
			return errors.New("made to fail by the test")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Query(t.Context(), store.Query{Partition: "stream default"})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("%d items are left, want the one not handled; %v", len(page.Items), err)
	}
}

func TestErrorsOfTheStoreKeepTheirMeaning(t *testing.T) {
	for _, c := range []struct {
		plan faulty.Plan
		want error
	}{
		{faulty.Plan{Throttle: 1}, ingest.ErrThrottled},
		{faulty.Plan{LostApplied: 1}, ingest.ErrUnknownOutcome},
		{faulty.Plan{Unavailable: 1}, store.ErrUnavailable},
	} {
		f := faulty.New(openStore(t), faulty.Plan{})
		stream := open(t, f)
		f.SetPlan(c.plan)
		if errs := stream.Put(t.Context(), []ingest.Record{{Key: "k", Data: []byte("x")}}); len(errs) != 1 || !errors.Is(errs[0], c.want) {
			t.Errorf("%+v: %v", c.plan, errs)
		}
	}
}
