package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Tickets lets callers in many processes, who have met at an item, write it one after the other. A
// transaction that meets another one at an item is refused, and paid for. After a refusal nobody
// knows how many others there are, so that pauses at random are too short for many, and too long for
// a few. A ticket costs one write unit and says how many were refused before, so that each of them has
// time for its write.
//
// A ticket is advice. It is no lock: who comes without a ticket, or late, is held off by the
// conditions of the write alone. So a lost ticket costs some time, and clocks that differ cost
// refusals.
type Tickets struct {
	Store   Store
	Spacing time.Duration    // the time that each holder has, about that of a transaction. 0: 15 milliseconds
	Now     func() time.Time // nil: time.Now
}

// Attributes of the item that counts the tickets of a line within ticketWindow.
const (
	ticketCount = "n"
	ticketFirst = "t" // Unix ms, when the first of them was taken
)

const (
	defaultSpacing = 15 * time.Millisecond

	// ticketWindow is how long the tickets of a line are counted on. Those who come long after a crowd begin a line of
	// their own.
	ticketWindow = 10 * time.Second

	ticketTTL = time.Hour
)

// Take takes a ticket of the line with a name, a partition of its own, and returns how long its
// holder waits: two seconds at most, as of any pause of Retry.
func (t Tickets) Take(ctx context.Context, line string) (wait time.Duration, err error) {
	clock, spacing := t.Now, t.Spacing
	if clock == nil {
		clock = time.Now
	}
	now := clock()
	if spacing == 0 {
		spacing = defaultSpacing
	}
	window := now.Truncate(ticketWindow)
	old, err := t.Store.Apply(ctx, Update(Key{Partition: line, Sort: window.UTC().Format(time.RFC3339)}, nil,
		Add(ticketCount, ticketCount, 1),
		Default(ticketFirst, Int(now.UnixMilli())),
		Default(TTLAttr, Int(window.Add(ticketTTL).Unix())),
	))
	if err != nil {
		return 0, fmt.Errorf("taking a ticket: %w", err)
	}
	first, before := now, old.Get(ticketCount).Num()
	if at := old.Get(ticketFirst); !at.IsZero() {
		first = time.UnixMilli(at.Num())
	}
	at := first.Add(time.Duration(before+1) * spacing) // 1: for the transaction that was met
	if wait := at.Sub(now); wait < longestPause {
		return max(wait, 0), nil
	}
	return longestPause - rand.N(longestPause/4), nil
}
