package kafka

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// A gap whose producer has died is closed by a fence: see doc.go for why nothing is lost by it.

// fenceAfter is how long a reader watches a gap before it puts a fence behind it.
func (e *Engine) fenceAfter() time.Duration { return e.produceDeadline * 3 / 10 }

// quickPut is how long a producer may take for its reservation and its put together and need not look for a
// fence. It is shorter than fenceAfter, since clocks do not run equally fast.
func (e *Engine) quickPut() time.Duration { return e.produceDeadline / 5 }

// elapsed is the time since a moment, by the monotonic clock and by the wall clock: the one does not
// count while a machine sleeps, the other may be set. Real time is between least and most.
func elapsed(since, now time.Time) (least, most time.Duration) {
	monotonic, wall := now.Sub(since), now.Round(0).Sub(since.Round(0))
	return min(monotonic, wall), max(monotonic, wall)
}

// gap is what a reader has seen of a log that does not grow, although offsets above its watermark are
// reserved.
type gap struct {
	mark  int64     // the watermark
	next  int64     // what was reserved when the gap was seen first is below
	since time.Time // when it was
}

// gaps are those that this process has seen, by log.
type gaps struct {
	mu sync.Mutex
	m  map[string]gap
}

// see notes the state of a log, and returns the offset below which all reservations are older than an age, if
// the watermark has stood still since; 0: there is none. That is told once in such a time.
func (g *gaps) see(log string, h *head, now time.Time, age time.Duration) (fence int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was, ok := g.m[log]
	if ok && was.mark == h.mark {
		if least, _ := elapsed(was.since, now); least < age {
			return 0
		}
		fence = was.next
	}
	if g.m == nil || len(g.m) >= maxRecords {
		g.m = map[string]gap{}
	}
	g.m[log] = gap{h.mark, h.next, now}
	return fence
}

// fence gives up the offsets below one that the stream does not have yet. The head says so first: whoever puts a
// record later than that finds it there. Then a tick tells the materializer that it has got so far.
func (e *Engine) fence(ctx context.Context, log string, h *head, offset int64) error {
	op := store.Update(headKey(log), store.And{store.Exists(headNext), store.Eq(headMark, store.Int(h.mark)),
		store.Or{store.Absent(headFence), store.Lt(headFence, store.Int(offset))}}, store.Set(headFence, store.Int(offset)))
	err := e.repeat(ctx, func() error { _, err := e.store.Apply(ctx, op); return err })
	if ce, ok := unmet(err); ok {
		now := headOf(ce.Old)
		if now == nil || now.mark != h.mark {
			return nil // the topic is deleted, or the log has grown
		}
		// It is there already, perhaps by a reader who died before it has put its tick.
	} else if err != nil {
		return fmt.Errorf("putting a fence behind a gap: %w", err)
	}
	return e.tickAt(ctx, log, envelope{base: offset, next: offset, reserved: e.tickTime(h), keep: fenceMark})
}

// fenceMark is what a tick has in the place of a retention if it goes with a fence.
const fenceMark = 1

func (v *envelope) isFence() bool { return v.parts == 0 && v.next == v.base && v.keep == fenceMark }

// fences returns for each of some logs the offset below which a put that has just ended may have been given up. began is
// when the producer did, before its first reservation.
func (e *Engine) fences(ctx context.Context, began time.Time, logs []string) []int64 {
	out := make([]int64, len(logs))
	if _, most := elapsed(began, e.now()); most < e.quickPut() || len(logs) == 0 {
		return out
	}
	heads, err := e.heads(ctx, logs)
	for i := range out {
		switch {
		case err != nil:
			out[i] = math.MaxInt64 // nobody knows
		case heads[i] != nil:
			out[i] = heads[i].fence
		}
	}
	return out
}

// errFenced is the error of a put that came too late for its offsets, or may have.
func errFenced() error {
	return fmt.Errorf("%w: its offsets were given up meanwhile", ErrUnknownOutcome)
}

// late reports whether a producer that began at a time has exceeded its own.
func (e *Engine) late(began time.Time, timeout time.Duration) bool {
	_, most := elapsed(began, e.now())
	return most > timeout
}
