package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Defaults of a Retry.
const (
	defaultPatience = 20 * time.Second
	firstPause      = 10 * time.Millisecond // about the time of a read and a write on DynamoDB
	unhurriedPause  = 100 * time.Millisecond
	longestPause    = 2 * time.Second
)

// Retry is the policy of everything that reads items, decides, and writes on the condition that
// nobody was faster. Each attempt that loses is followed by a pause. The pause is drawn at random
// from a range that becomes four times as long each time, up to two seconds, so that a hundred callers
// who met at one item spread out instead of meeting again. The zero value is ready to use.
//
// A hundred processes at one item take about five attempts each, three hundred six. Where that is
// too dear, count with an atomic store.Add instead of a condition, append to a list, let one of those who
// want the same do it, or let them take Tickets; where nobody hurries, pause for longer: Unhurried. Within
// one process, let callers queue up with Locks.
//
// Retry is about contention only. A store repeats by itself what was throttled or not reached.
type Retry struct {
	// Patience bounds the time since the first attempt after which no further attempt begins.
	// Zero means 20 seconds. The deadline of the context bounds it too.
	Patience time.Duration

	// First bounds the first pause. Zero means 10 milliseconds; see Unhurried.
	First time.Duration

	// Now is the clock that patience is measured by. Nil means time.Now.
	Now func() time.Time

	// Sleep waits for d, or until the context is done and returns its error. Nil means a timer.
	Sleep func(ctx context.Context, d time.Duration) error

	// Ticket, if not nil, says how long to pause instead, see Tickets. If it fails, the pause is random.
	Ticket func(ctx context.Context) (time.Duration, error)
}

// ContendedError says that an operation lost against others until its patience or its context's
// deadline was over. Nothing was written by it. errors.Is reports it to be ErrConflict, and whatever
// its cause is.
type ContendedError struct {
	Attempts int
	Waited   time.Duration // since the first attempt
	Cause    error         // why the last attempt failed
}

func (e *ContendedError) Error() string {
	return fmt.Sprintf("store: gave up after %d attempts in %v: %v", e.Attempts, e.Waited.Round(time.Millisecond), e.Cause)
}

func (e *ContendedError) Unwrap() []error { return []error{ErrConflict, e.Cause} }

// Contended reports whether an error says that somebody else was faster: an unmet condition, or
// ErrConflict. What was attempted has not happened.
func Contended(err error) bool {
	var unmet *ConditionError
	return errors.As(err, &unmet) || errors.Is(err, ErrConflict)
}

// Do calls attempt until its error is not one of contention, see Contended, and returns that error
// or nil. An attempt reads anew what it decides by. One that meets a condition whose failure has a
// meaning of its own, such as "exists already", returns another error. If the others are faster
// for too long, the error is a *ContendedError.
func (r Retry) Do(ctx context.Context, attempt func(ctx context.Context) error) error {
	a := r.Begin()
	for {
		err := attempt(ctx)
		if err == nil || !Contended(err) {
			return err
		}
		if err := a.Wait(ctx, err); err != nil {
			return err
		}
	}
}

// Attempts counts the attempts of one operation, for loops that Do does not fit.
type Attempts struct {
	policy Retry
	begin  time.Time
	failed int
	before int // see Expect
}

// WithClock is the policy with the clock now, unless it has one. Engines give it theirs.
func (r Retry) WithClock(now func() time.Time) Retry {
	if r.Now == nil {
		r.Now = now
	}
	return r
}

// Unhurried is the policy with a first pause of up to 100 milliseconds, unless it has one. It is for what nobody
// hurries with, such as a change of settings, or an attempt that waits for its turn. Longer pauses are cheaper: a
// hundred processes at one item take three or four attempts each instead of five, ten processes two instead of three.
func (r Retry) Unhurried() Retry {
	if r.First == 0 {
		r.First = unhurriedPause
	}
	return r
}

// Begin starts to count. The first attempt needs no Wait before it.
func (r Retry) Begin() *Attempts {
	if r.Patience == 0 {
		r.Patience = defaultPatience
	}
	if r.First == 0 {
		r.First = firstPause
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Sleep == nil {
		r.Sleep = sleep
	}
	return &Attempts{policy: r, begin: r.Now()}
}

// Wait pauses after an attempt has failed because of cause, and returns nil if there may be another.
// Otherwise the error is a *ContendedError with that cause; if the context is done, its error is
// part of the cause.
func (a *Attempts) Wait(ctx context.Context, cause error) error {
	a.failed++
	pause := a.pause()
	if a.policy.Ticket != nil {
		if d, err := a.policy.Ticket(ctx); err == nil {
			pause = d
		}
	}
	waited := a.policy.Now().Sub(a.begin)
	if waited+pause > a.policy.Patience || endsBefore(ctx, pause) {
		return &ContendedError{Attempts: a.failed, Waited: waited, Cause: cause}
	}
	if err := a.policy.Sleep(ctx, pause); err != nil {
		return &ContendedError{Attempts: a.failed, Waited: waited, Cause: errors.Join(cause, err)}
	}
	return nil
}

// Expect makes the pauses as long as if n attempts had failed before. It is for who knows that somebody has just lost n
// times here, see Locks.Expected.
func (a *Attempts) Expect(n int) { a.before = n }

// Failed is the number of attempts that have failed so far.
func (a *Attempts) Failed() int { return a.failed }

// pause draws the pause after an attempt. The first is short: most contention is between two.
func (a *Attempts) pause() time.Duration {
	n := a.failed + a.before
	ceiling := min(a.policy.First<<min(2*(n-1), 16), max(longestPause, a.policy.First))
	if n == 1 {
		return rand.N(ceiling)
	}
	return ceiling/4 + rand.N(ceiling-ceiling/4)
}

// endsBefore reports whether the context ends before a pause of d is over.
func endsBefore(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < d
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
