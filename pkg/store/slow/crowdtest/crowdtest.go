// Package crowdtest has a hundred callers do one thing at once over a slow store, and compares what
// it costs with what it costs one caller alone. Time is that of a synctest bubble, so that the
// outcome does not depend on how fast the machine is.
package crowdtest

import (
	"cmp"

	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
)

// Callers is how many there are at once.
const Callers = 100

// latency is what a call to the store takes on average: 3 to 9 ms.
const latency = 6 * time.Millisecond

// Operation is something that several callers do to the same items, through engines of type E.
type Operation[E any] struct {
	Name string

	// New makes an engine over a store. Several engines share one store.
	New func(testing.TB, store.Store) E

	// Prepare makes, through the first engine, what the callers meet at. It may be nil.
	Prepare func(context.Context, E) error

	// Warm is what each engine has done once before the callers come, such as reading a record that it keeps. It may
	// be nil.
	Warm func(context.Context, E) error

	// Do is what caller i does. An error is a failure of the test.
	Do func(ctx context.Context, e E, i int) error

	// Check looks whether all that the callers did is there. It may be nil.
	Check func(t *testing.T, e E, callers int)

	// Engines is how many there are if several processes share the store, which callers take in turn.
	// 0: 10.
	Engines int

	// MaxReads and MaxWrites, if not 0, bound the units of a caller in the crowd, on average. They are
	// for what is dear for one alone.
	MaxReads, MaxWrites float64
}

// Run tests the operation through one engine, through four and through several over one store.
func (o Operation[E]) Run(t *testing.T) {
	t.Helper()
	t.Run(o.Name, func(t *testing.T) {
		var alone slow.Counts
		synctest.Test(t, func(t *testing.T) { alone = o.run(t, 1, 1) })
		for _, engines := range []int{1, 4, cmp.Or(o.Engines, 10)} {
			t.Run(fmt.Sprintf("engines=%d", engines), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { o.compare(t, alone, o.run(t, engines, Callers)) })
			})
		}
	})
}

// run counts what some callers cost.
func (o Operation[E]) run(t *testing.T, engines, callers int) slow.Counts {
	t.Helper()
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	st := slow.New(inner, slow.Options{Latency: latency})
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	all := make([]E, engines)
	for i := range all {
		all[i] = o.New(t, st)
	}
	if o.Prepare != nil {
		if err := o.Prepare(t.Context(), all[0]); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range all {
		if o.Warm == nil {
			break
		}
		if err := o.Warm(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	st.Reset()
	begin := time.Now()
	var calls sync.WaitGroup
	for i := range callers {
		calls.Go(func() {
			if err := o.Do(t.Context(), all[i%engines], i); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	calls.Wait()
	c := st.Counts()
	t.Logf("%d callers, %d engines: %d calls, %v read and %v write units, %d lost, %d conflicts, %v",
		callers, engines, c.Total(), c.ReadUnits, c.WriteUnits, c.Unmet, c.Conflicts, time.Since(begin).Round(time.Millisecond))
	if o.Check != nil {
		o.Check(t, all[0], callers)
	}
	return c
}

// bound is how many times as many calls and units a caller in the crowd may cost as one alone.
const bound = 2

func (o Operation[E]) compare(t *testing.T, alone, crowd slow.Counts) {
	t.Helper()
	const limit = bound * Callers
	if got, one := float64(crowd.Total()), float64(alone.Total()); got > limit*one {
		t.Errorf("%v calls of %d callers; one alone makes %v, and %v times as many are allowed", got, Callers, one, bound)
	}
	if got, one := crowd.ReadUnits, alone.ReadUnits; got > limit*max(one, 1) {
		t.Errorf("%v read units of %d callers; one alone takes %v, and %v times as many are allowed", got, Callers, one, bound)
	}
	if got, one := crowd.WriteUnits, alone.WriteUnits; got > limit*max(one, 1) {
		t.Errorf("%v write units of %d callers; one alone takes %v, and %v times as many are allowed", got, Callers, one, bound)
	}
	if got := crowd.ReadUnits / Callers; o.MaxReads > 0 && got > o.MaxReads {
		t.Errorf("%v read units a caller, want at most %v", got, o.MaxReads)
	}
	if got := crowd.WriteUnits / Callers; o.MaxWrites > 0 && got > o.MaxWrites {
		t.Errorf("%v write units a caller, want at most %v", got, o.MaxWrites)
	}
}
