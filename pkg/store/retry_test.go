package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

var errUnmet = fmt.Errorf("writing: %w", &store.ConditionError{})

func TestRetryEndsWithTheFirstResultThatIsNotContention(t *testing.T) {
	other := errors.New("exists already")
	for name, tt := range map[string]struct {
		results  []error
		want     error
		attempts int
	}{
		"success at once":               {[]error{nil}, nil, 1},
		"success after lost conditions": {[]error{errUnmet, errUnmet, nil}, nil, 3},
		"success after conflicts":       {[]error{fmt.Errorf("commit: %w", store.ErrConflict), nil}, nil, 2},
		"a failure of another kind":     {[]error{errUnmet, other}, other, 2},
		"an unknown outcome":            {[]error{store.ErrUnknownOutcome}, store.ErrUnknownOutcome, 1},
		"throttling":                    {[]error{store.ErrThrottled}, store.ErrThrottled, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				err := store.Retry{}.Do(t.Context(), func(context.Context) error {
					attempts++
					return tt.results[attempts-1]
				})
				if !errors.Is(err, tt.want) || attempts != tt.attempts {
					t.Errorf("%v after %d attempts, want %v after %d", err, attempts, tt.want, tt.attempts)
				}
			})
		})
	}
}

func TestRetryGivesUp(t *testing.T) {
	for name, tt := range map[string]struct {
		patience time.Duration // of the policy
		deadline time.Duration // of the context, 0: none
		most     time.Duration
	}{
		"after its patience":                 {3 * time.Second, 0, 3 * time.Second},
		"after 20 seconds by default":        {0, 0, 20 * time.Second},
		"before a deadline that comes first": {0, time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				begin := time.Now()
				attempts := 0
				err := store.Retry{Patience: tt.patience}.Do(ctx, func(context.Context) error {
					attempts++
					return errUnmet
				})
				var gaveUp *store.ContendedError
				if !errors.As(err, &gaveUp) || !errors.Is(err, store.ErrConflict) {
					t.Fatalf("error %v, want one of contention", err)
				}
				var unmet *store.ConditionError
				if gaveUp.Attempts != attempts || !errors.As(err, &unmet) {
					t.Errorf("error %v after %d attempts, want their number and the cause", err, attempts)
				}
				if took := time.Since(begin); took > tt.most || took < tt.most/3 {
					t.Errorf("gave up after %v, want about %v", took, tt.most)
				}
				if ctx.Err() != nil {
					t.Error("gave up after the deadline: nobody hears the reason")
				}
			})
		})
	}
}

func TestRetryEndsWhenItsContextIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := store.Retry{}.Do(ctx, func(context.Context) error {
			cancel()
			return errUnmet
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrConflict) {
			t.Errorf("error %v, want that the context was cancelled during contention", err)
		}
	})
}

func TestRetryPausesGrow(t *testing.T) {
	var pauses []time.Duration
	policy := store.Retry{
		Patience: time.Hour,
		Sleep: func(_ context.Context, d time.Duration) error {
			pauses = append(pauses, d)
			return nil
		},
	}
	n := 0
	err := policy.Do(t.Context(), func(context.Context) error {
		if n++; n > 30 {
			return nil
		}
		return errUnmet
	})
	if err != nil {
		t.Fatal(err)
	}
	if first := pauses[0]; first > 10*time.Millisecond {
		t.Errorf("the first pause is %v, want at most the time of two calls", first)
	}
	for i, d := range pauses[9:] {
		if d < 500*time.Millisecond || d > 2*time.Second {
			t.Errorf("pause %d is %v, want between a quarter of the longest and the longest", i+10, d)
		}
	}
}

func TestRetryThatIsNotInAHurryPausesForLonger(t *testing.T) {
	longest := func(policy store.Retry) (first time.Duration) {
		for range 50 {
			policy.Sleep = func(_ context.Context, d time.Duration) error {
				first = max(first, d)
				return nil
			}
			n := 0
			err := policy.Do(t.Context(), func(context.Context) error {
				if n++; n > 1 {
					return nil
				}
				return errUnmet
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return first
	}
	if d := longest(store.Retry{}.Unhurried()); d <= 10*time.Millisecond || d > 100*time.Millisecond {
		t.Errorf("of 50 first pauses, the longest is %v, want at most 100 ms, and more than 10 ms", d)
	}
	if d := longest(store.Retry{First: time.Millisecond}.Unhurried()); d > time.Millisecond {
		t.Errorf("a first pause of its own is %v", d)
	}
}

// Who waits for a lock gets to know from its holder how many others there are, and pauses for as long at once.
func TestWhoWaitsForALockExpectsWhatItsHolderHasMet(t *testing.T) {
	locks := store.NewLocks()
	lock := func() func() {
		unlock, err := locks.Lock(t.Context(), "scope", "a", "b")
		if err != nil {
			t.Fatal(err)
		}
		return unlock
	}
	unlock := lock()
	synctest.Test(t, func(t *testing.T) {
		var next sync.WaitGroup
		next.Go(func() {
			passed, err := locks.Lock(t.Context(), "scope", "b")
			if err != nil {
				t.Error(err)
				return
			}
			defer passed()
			if n := locks.Expected("scope", "b"); n != 3 {
				t.Errorf("who has waited expects %d, want 3", n)
			}
		})
		synctest.Wait() // it waits
		if n := locks.Expected("scope", "a", "b"); n != 0 {
			t.Errorf("the first one expects %d", n)
		}
		locks.Met(3, "scope", "a", "b")
		unlock()
		next.Wait()
	})
	defer lock()()
	if n := locks.Expected("scope", "a", "b"); n != 0 {
		t.Errorf("when nobody has waited, %d are expected", n)
	}
}

func TestRetryThatExpectsOthersPausesForLonger(t *testing.T) {
	var pause time.Duration
	policy := store.Retry{Sleep: func(_ context.Context, d time.Duration) error {
		pause = d
		return nil
	}}
	for range 50 {
		attempts := policy.Begin()
		attempts.Expect(2)
		if err := attempts.Wait(t.Context(), errUnmet); err != nil {
			t.Fatal(err)
		}
		if pause < 40*time.Millisecond || pause > 160*time.Millisecond || attempts.Failed() != 1 {
			t.Fatalf("the first pause is %v after %d failures, want that after three", pause, attempts.Failed())
		}
	}
}

func TestRetryPausesAsItsTicketSays(t *testing.T) {
	for name, tt := range map[string]struct {
		err         error
		least, most time.Duration
	}{
		"ticket":    {nil, time.Second, time.Second},
		"no ticket": {store.ErrUnavailable, 0, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			policy := store.Retry{
				Sleep: func(_ context.Context, d time.Duration) error {
					if d < tt.least || d > tt.most {
						t.Errorf("the pause is %v, want %v to %v", d, tt.least, tt.most)
					}
					return nil
				},
				Ticket: func(context.Context) (time.Duration, error) { return time.Second, tt.err },
			}
			if err := policy.Begin().Wait(t.Context(), errUnmet); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLocksAdmitOneOfAName(t *testing.T) {
	locks := store.NewLocks()
	var a, b, c int
	counts := map[string]*int{"a": &a, "b": &b, "c": &c}
	var wg sync.WaitGroup
	for _, names := range [][]string{{"a", "b"}, {"b", "a"}, {"b", "c"}, {"c", "a", "b"}, {"a"}} {
		for range 200 {
			wg.Go(func() {
				unlock, err := locks.Lock(t.Context(), "scope", names...)
				if err != nil {
					t.Error(err)
					return
				}
				defer unlock()
				for _, name := range names {
					*counts[name]++ // a race unless the lock holds
				}
			})
		}
	}
	wg.Wait()
	if a != 800 || b != 800 || c != 400 {
		t.Errorf("counts are %d, %d, %d", a, b, c)
	}
}

func TestLocksThatCannotBeHadAreLeftAsTheyWere(t *testing.T) {
	locks := store.NewLocks()
	unlock, err := locks.Lock(t.Context(), "scope", "b")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // whichever comes first, a free lock or the end of the context
		if free, err := locks.Lock(ctx, "scope", "a", "b"); err == nil {
			free()
			t.Fatal("locked what is locked")
		}
	}
	unlock()
	unlock, err = locks.Lock(t.Context(), "scope", "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// Nobody holds up another scope, however many names he locks.
func TestLocksAreOfTheirNamesAlone(t *testing.T) {
	locks := store.NewLocks()
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	unlock, err := locks.Lock(t.Context(), "mine", names...)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	other, ok := locks.TryLock("yours", names...)
	if !ok {
		t.Fatal("the locks of another scope are not free")
	}
	other()
	if _, ok := locks.TryLock("mine", "new", "99999"); ok {
		t.Error("locked what is locked")
	}
	more, ok := locks.TryLock("mine", "new")
	if !ok {
		t.Fatal("what was tried in vain is still locked")
	}
	more()
}

// A lock that was passed to somebody who did not wait any longer goes to the next one.
func TestLocksArePassedOnByWhoLeaves(t *testing.T) {
	locks := store.NewLocks()
	for range 200 {
		unlock, err := locks.Lock(t.Context(), "scope", "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for i := range 4 {
			ctx := ctx
			if i%2 == 0 {
				ctx = t.Context()
			}
			waiting.Go(func() {
				if unlock, err := locks.Lock(ctx, "scope", "a"); err == nil {
					unlock()
				}
			})
		}
		go cancel()
		unlock()
		waiting.Wait()
		if unlock, ok := locks.TryLock("scope", "a"); ok {
			unlock()
		} else {
			t.Fatal("nobody holds the lock, but it is not free")
		}
	}
}
