package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// line is the tickets of one line, and a clock that the test sets.
type line struct {
	*testing.T
	tickets store.Tickets
	now     time.Time
}

func newLine(t *testing.T) *line {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	l := &line{T: t, now: time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)}
	l.tickets = store.Tickets{Store: st, Spacing: 10 * time.Millisecond, Now: func() time.Time { return l.now }}
	return l
}

func (l *line) take(name string) time.Duration {
	l.Helper()
	wait, err := l.tickets.Take(l.Context(), name)
	if err != nil {
		l.Fatal(err)
	}
	return wait
}

func TestTicketsAreForOneAfterTheOther(t *testing.T) {
	l := newLine(t)
	for i := range 5 {
		if got, want := l.take("a"), time.Duration(i+1)*10*time.Millisecond; got != want {
			t.Errorf("ticket %d waits %v, want %v", i+1, got, want)
		}
	}
	l.now = l.now.Add(20 * time.Millisecond)
	if got := l.take("a"); got != 40*time.Millisecond {
		t.Errorf("the sixth ticket, 20 ms later, waits %v, want 40 ms", got)
	}
	if got := l.take("b"); got != 10*time.Millisecond {
		t.Errorf("the first ticket of another line waits %v, want 10 ms", got)
	}
}

func TestTicketsForgetACrowdThatIsOver(t *testing.T) {
	l := newLine(t)
	for range 5 {
		l.take("a")
	}
	l.now = l.now.Add(time.Second)
	if got := l.take("a"); got != 0 {
		t.Errorf("a ticket when all are past waits %v", got)
	}
	l.now = l.now.Add(time.Minute)
	if got := l.take("a"); got != 10*time.Millisecond {
		t.Errorf("the first ticket a minute later waits %v, want 10 ms", got)
	}
}

func TestTicketsOfManyWaitNoLongerThanAPause(t *testing.T) {
	l := newLine(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	waits := map[time.Duration]int{}
	for range 300 {
		all.Go(func() {
			wait, err := l.tickets.Take(t.Context(), "a")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			waits[wait]++
		})
	}
	all.Wait()
	for i := range 199 {
		if wait := time.Duration(i+1) * 10 * time.Millisecond; waits[wait] == 0 {
			t.Errorf("nobody waits %v", wait)
		}
	}
	for wait, n := range waits {
		if wait > 2*time.Second || wait < 10*time.Millisecond || wait < 1500*time.Millisecond && n != 1 {
			t.Errorf("%d wait %v", n, wait)
		}
	}
}
