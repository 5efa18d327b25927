package qstash_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	stores "github.com/skystash/skystash/pkg/store/embedded"
)

// answers is a sender whose destinations answer after a while.
type answers time.Duration

func (a answers) Send(context.Context, qstash.Delivery) (qstash.Response, error) {
	time.Sleep(time.Duration(a))
	return qstash.Response{Status: 200}, nil
}

// The engine needs no Close: a bubble of synctest fails if a goroutine is left in it.
func TestNothingRunsOnceTheWakerHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := stores.Open(stores.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		waker := embedded.New(embedded.Options{})
		e := qstash.New(qstash.Config{Store: st, Sender: answers(time.Minute), Waker: waker, Alone: true})
		if _, err := e.CreateAccount(t.Context(), "acct", qstash.Keys{}); err != nil {
			t.Fatal(err)
		}
		waker.Start(t.Context(), e.Handle)
		out := e.Publish(t.Context(), "acct", []qstash.Request{
			{Destination: "https://example.com", Body: []byte("now")},
			{Destination: "https://example.com", Body: []byte("later"), Options: qstash.Options{Delay: time.Hour}},
		})
		for _, o := range out {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		begin := time.Now()
		time.Sleep(time.Second) // of the bubble: the first is being delivered
		waker.Stop()
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("Stop has waited until %v after the publication", took)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
