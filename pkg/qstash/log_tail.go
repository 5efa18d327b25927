package qstash

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

// A tail of the log asks again and again for what has happened since. Each call reads the shards of the
// messages and of the log index from ten seconds before the last call on: 16 queries, so at least 16
// read units on DynamoDB, where it asks every three seconds. That is 0.3 cents an hour.
//
// An event is written a moment after its time. So a tail stays behind the clock by settleTime, or it would be past the event.
const (
	settleTime      = 2 * time.Second
	settleTimeAlone = 300 * time.Millisecond // with one process
)

// Bounds of tails.
const (
	MaxTails    = 20  // calls of Tail for an account that one engine answers at a time
	maxTailPage = 200 // events
)

// ErrTooManyTails refuses a call of Tail beyond MaxTails.
var ErrTooManyTails = errors.New("qstash: too many readers follow the log")

// Tail reads the events behind a cursor, the earliest first, and returns the cursor behind them. Without
// a cursor it begins at the present. If there is nothing to read, it waits for Config.TailHold, and may
// return nothing. Filter.From and To mean nothing.
func (e *Engine) Tail(ctx context.Context, acct string, q LogQuery) (entries []LogEntry, cursor string, err error) {
	if !e.tails.begin(acct) {
		return nil, "", ErrTooManyTails
	}
	defer e.tails.end(acct)
	settle := settleTime
	if e.alone {
		settle = settleTimeAlone
	}
	q.Earliest, q.Count = true, maxTailPage
	if q.Cursor == "" {
		q.Cursor = endOf(e.now().Add(-settle)).String()
	}
	hold, stop := context.WithTimeout(ctx, e.tailHold)
	defer stop()
	for pause := 100 * time.Millisecond; ; pause = min(pause*3/2, time.Second) {
		upTo := e.now().Add(-settle)
		entries, next, err := e.tailOnce(ctx, acct, q, upTo)
		if err != nil || len(entries) > 0 {
			return entries, next, err
		}
		q.Cursor = next
		select {
		case <-hold.Done():
			return entries, next, nil
		case <-time.After(pause):
		}
	}
}

// endOf is the place behind all events of a time.
func endOf(at time.Time) logPlace {
	return logPlace{at.UnixMilli(), messagePrefix + "~", math.MaxInt32}
}

func (e *Engine) tailOnce(ctx context.Context, acct string, q LogQuery, upTo time.Time) ([]LogEntry, string, error) {
	after, err := parseLogPlace(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	end := endOf(upTo)
	if after.compare(end) >= 0 {
		return nil, q.Cursor, nil
	}
	q.Filter.From, q.Filter.To = 0, upTo.UnixMilli()
	entries, next, err := e.Logs(ctx, acct, q)
	if next == "" {
		next = end.String()
	}
	return entries, next, err
}

// tails counts the calls of Tail by account.
type tails struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tails) begin(acct string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[acct] >= MaxTails {
		return false
	}
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[acct]++
	return true
}

func (t *tails) end(acct string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[acct]--; t.n[acct] == 0 {
		delete(t.n, acct)
	}
}
