package kafka

import (
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
)

// end is where the data of topic red ends.
func (w *world) end() int64 {
	w.Helper()
	t, err := w.e.Topic(w.Context(), w.cluster, "red")
	if err != nil {
		w.Fatal(err)
	}
	end, err := w.e.dataEnd(w.Context(), t.log(0), w.head("red"))
	if err != nil {
		w.Fatal(err)
	}
	return end
}

func (w *world) wantEnd(end, mark int64) {
	w.Helper()
	if got := w.end(); got != end {
		w.Errorf("the data ends at %d, want %d", got, end)
	}
	if h := w.head("red"); h.mark != mark {
		w.Errorf("the watermark is %d, want %d", h.mark, mark)
	}
}

// void reserves an offset of topic red that is never used.
func (w *world) void() {
	w.Helper()
	w.refuse(ingest.ErrThrottled)
	got, err := w.e.Produce(w.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("never")}})
	if err != nil || got[0].Err == nil {
		w.Fatalf("%+v, %v", got, err)
	}
}

// A void at the end of a log is nothing that a client could wait for.
func TestDataEndsBeforeAVoid(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.wantEnd(0, 0)
		w.void()
		w.wantEnd(0, 1)
		w.produce("red", "a", "b")
		w.materialize(0)
		w.wantEnd(3, 3)
		w.void()
		w.void()
		w.wantEnd(3, 5)
	})
}

// A head of before this was kept, or whose watermark a version has moved that does not keep it.
func TestDataEndIsFoundInTheLog(t *testing.T) {
	onEachStore(t, func(w *world) {
		red := w.topic("red", TopicOptions{})
		w.produce("red", "a", "b")
		w.materialize(0)
		w.void()
		for _, edit := range []store.Edit{store.Set(headData, varints(2, 1)), store.Remove(headData)} {
			if _, err := w.store.Apply(w.Context(), store.Update(headKey(red.log(0)), nil, edit)); err != nil {
				t.Fatal(err)
			}
			w.wantEnd(2, 3)
		}
		w.produce("red", "c")
		w.materialize(1)
		w.wantEnd(4, 4)
	})
}

func TestDataEndStaysWhereCompactionLeavesIt(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Compact: true})
	for range 3 {
		w.put("a", "1")
		w.put("b", "2")
	}
	w.put("a", "")
	w.wantEnd(7, 7)
	for range 3 {
		w.clock.advance(8 * 24 * time.Hour)
		if _, err := w.e.Reclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantEnd(7, 7)
	}
}

// What DeleteRecords has removed is no data any more.
func TestDataEndIsNotBelowTheStart(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.produce("red", "a")
	w.materialize(0)
	w.void()
	if _, err := w.e.DeleteRecords(t.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 0}, 2}}); err != nil {
		t.Fatal(err)
	}
	w.wantEnd(2, 2)
}
