package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
)

// How those who wait for messages look for them. Whoever moves them into the log in this process tells
// at once. What others do is seen when looking again, ever more seldom.
const (
	firstLook = 25 * time.Millisecond
	soonLook  = 250 * time.Millisecond // the longest pause while something is on its way to a log
	lastLook  = time.Second            // and while nothing is

	// lookUnits bounds the read units a second that looks cost while nothing is on its way: if they
	// read many items, they come more seldom.
	lookUnits = 1.2
)

// wait is one call's waiting for messages.
type wait struct {
	e      *Engine
	ctx    context.Context // of the call
	until  context.Context // within it: done when the call must not wait any longer, see timeout
	logs   []string
	news   chan struct{}
	stop   func()
	look   time.Duration
	rounds int

	known   []seenLog     // of each log, when heads was called last
	witness *witness      // nil: none
	limit   time.Duration // more returns true after that time; 0: it need not
}

// witness is an item besides the logs whose change is a reason to look properly.
type witness struct {
	key  store.Key
	same func(store.Attrs) bool // nothing that matters has changed
}

// timeout makes a context for waiting: it is done when the time is over, or the engine is closed.
func (e *Engine) timeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(e.life, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// newWait begins to wait: what happens to the logs, or to other things that the notifier is told of,
// is not missed from now on.
func (e *Engine) newWait(ctx, until context.Context, logs []string, others ...string) *wait {
	w := &wait{e: e, ctx: ctx, until: until, logs: logs, look: firstLook, known: make([]seenLog, len(logs))}
	w.news, w.stop = e.notifier.watch(append(others, logs...))
	return w
}

// more waits until it makes sense to look again. It reports false if time is over, or the client has
// gone: no position must move for it. Some contexts tell that by Err alone, so it asks each time.
//
// While something is on its way to one of the logs it looks often, and hurries. Else, in a process
// that materializes the stream itself (Run), nothing gets into a log unnoticed, and it only waits.
// Elsewhere it looks at little.
func (w *wait) more(heads []*head, at []cursor) bool {
	if w.until.Err() != nil {
		return false
	}
	more := true
	switch {
	case onTheWay(heads, at):
		if w.sleep(w.look) != timeIsUp {
			break // if the call is over, once more
		}
		w.look = min(2*w.look, soonLook)
		if w.rounds++; w.ctx.Err() == nil {
			w.hurry(heads, at)
		}
	case w.e.runs.active():
		more = w.sleep(w.limit) != callIsOver
	default:
		w.lookout(at)
	}
	return more && w.ctx.Err() == nil
}

// onTheWay reports whether there are offsets at or behind the places: reserved, and perhaps readable.
func onTheWay(heads []*head, at []cursor) bool {
	for i, h := range heads {
		if h != nil && h.next > at[i].offset {
			return true
		}
	}
	return false
}

// Why a sleep ends.
type wakeup uint8

const (
	wakened wakeup = iota
	timeIsUp
	callIsOver
)

// sleep waits for news, for a time (0: without end) or until the call must not wait any longer.
func (w *wait) sleep(d time.Duration) wakeup {
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-w.news:
		return wakened
	case <-over:
		return timeIsUp
	case <-w.until.Done():
		return callIsOver
	}
}

// lookout looks until something has changed or the call is over, ever more seldom, at items that may
// be a moment old.
func (w *wait) lookout(at []cursor) {
	var left <-chan time.Time
	if w.limit > 0 {
		timer := time.NewTimer(w.limit)
		defer timer.Stop()
		left = timer.C
	}
	keys := w.lookoutKeys()
	least := time.Duration(float64(len(keys)) / 2 / lookUnits * float64(time.Second))
	for pause := firstLook; w.sleep(pause) == timeIsUp && w.ctx.Err() == nil; pause = min(2*pause, max(lastLook, least)) {
		select {
		case <-left:
			return
		default:
		}
		items, err := w.e.store.GetMany(store.Stale(w.until), keys, false)
		if err != nil || w.changed(keys, items, at) {
			return
		}
	}
}

// lookoutKeys are the items that a look reads: the witness, the news of topics that have some, and
// the heads of the other logs.
func (w *wait) lookoutKeys() (keys []store.Key) {
	if w.witness != nil {
		keys = append(keys, w.witness.key)
	}
	seen := map[store.Key]bool{}
	for i, log := range w.logs {
		key := headKey(log)
		if w.known[i].hasNews {
			key, _ = newsOf(log)
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

func (w *wait) changed(keys []store.Key, items []store.Attrs, at []cursor) bool {
	found := make(map[store.Key]store.Attrs, len(keys))
	for i, k := range keys {
		found[k] = items[i]
	}
	if w.witness != nil && !w.witness.same(found[w.witness.key]) {
		return true
	}
	for i, log := range w.logs {
		if w.known[i].hasNews {
			if key, counter := newsOf(log); found[key].Get(counter).Num() > w.known[i].counter {
				return true
			}
		} else if h := headOf(found[headKey(log)]); h != nil && h.next > at[i].offset {
			return true
		}
	}
	return false
}

// heads reads the heads of the logs; nil for those of deleted topics, and for those that are known to
// have nothing at or behind the places: their topic's news say nothing new.
func (w *wait) heads(ctx context.Context, at []cursor) ([]*head, error) {
	out := make([]*head, len(w.logs))
	counters := make([]int64, len(w.logs))
	for i := range counters {
		counters[i] = unknownCounter
	}
	manyLogs := len(w.logs) > 1 // the head of one says more than the news, for the same price
	if manyLogs && !w.e.runs.active() {
		if err := w.readNews(ctx, counters); err != nil {
			return nil, err
		}
	}
	var need []string
	var places []int
	for i, log := range w.logs {
		was := w.e.seenLogs.get(log)
		w.known[i] = seenLog{hasNews: was.hasNews && manyLogs, counter: counters[i]}
		if counters[i] == unknownCounter || was.counter != counters[i] || at[i].offset < was.mark {
			need, places = append(need, log), append(places, i)
		}
	}
	if len(need) == 0 {
		return out, nil
	}
	heads, err := w.e.heads(ctx, need)
	if err != nil {
		return nil, err
	}
	for n, h := range heads {
		i := places[n]
		if out[i] = h; h != nil {
			w.known[i].hasNews = h.hasNews && manyLogs
		}
		switch {
		case h == nil:
		case h.next > at[i].offset: // it has to be looked at until that is read
			w.e.seenLogs.set(need[n], seenLog{hasNews: h.hasNews, counter: unknownCounter})
		default:
			w.e.seenLogs.set(need[n], seenLog{hasNews: h.hasNews, mark: h.mark, counter: counters[i]})
		}
	}
	return out, nil
}

// readNews reads what the topics' news say of the logs, of those that are known to have some.
func (w *wait) readNews(ctx context.Context, counters []int64) error {
	var keys []store.Key
	place := map[store.Key]int{}
	for _, log := range w.logs {
		if key, _ := newsOf(log); w.e.seenLogs.get(log).hasNews {
			if _, ok := place[key]; !ok {
				place[key] = len(keys)
				keys = append(keys, key)
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	items, err := w.e.store.GetMany(ctx, keys, false)
	if err != nil {
		return fmt.Errorf("reading the news of topics: %w", err)
	}
	for i, log := range w.logs {
		key, counter := newsOf(log)
		if n, ok := place[key]; ok {
			counters[i] = items[n].Get(counter).Num()
		}
	}
	return nil
}

// hurry moves what the stream has accepted, and the log does not have yet, into
// the log: on an idle stream, whoever should do this comes only once a second.
func (w *wait) hurry(heads []*head, at []cursor) {
	for i, h := range heads {
		if h == nil || h.next <= max(h.mark, at[i].offset) {
			continue
		}
		var err error
		now := w.e.now()
		if fence := w.e.gaps.see(w.logs[i], h, now, w.e.fenceAfter()); fence > h.mark {
			err = w.e.fence(w.until, w.logs[i], h, fence)
		} else if now.Before(w.e.reservationsEnd(h)) {
			err = w.e.help(w.until, w.logs[i], now.Add(-w.e.reservationLife()))
		} else if w.rounds == 1 {
			err = w.e.tick(w.until, w.logs[i], h)
		}
		if errors.Is(err, ingest.ErrThrottled) {
			continue // those who read the stream need it more; it is tried again
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			w.e.log.WarnContext(w.until, "the stream's tail could not be read", "error", err)
		}
	}
}
