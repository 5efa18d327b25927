package fresh

import (
	"testing"
	"time"
)

// clock is a clock whose wall part moves. Its monotonic part stands still, as in a process that is frozen.
type clock struct{ real, wall time.Time }

func newClock() *clock {
	now := time.Now() // with a monotonic part
	return &clock{real: now, wall: now.Round(0)}
}

func (c *clock) now() time.Time { return c.wall }

func (c *clock) sleep(d time.Duration) { c.wall = c.wall.Add(d) }

func (c *Cache[K, V]) want(t *testing.T, key K, want V, ok bool) {
	t.Helper()
	if got, has := c.Get(key); has != ok || any(got) != any(want) {
		t.Errorf("got %v, %v; want %v, %v", got, has, want, ok)
	}
}

func TestValueIsGoodForTTL(t *testing.T) {
	clock := newClock()
	c := New[string, int](time.Second, 10, clock.now)
	c.want(t, "a", 0, false)
	c.Put("a", 1, c.Begin())
	clock.sleep(time.Second - 1)
	c.want(t, "a", 1, true)
	clock.sleep(1)
	c.want(t, "a", 0, false)
	if got, ok := c.Within("a", time.Minute); got != 1 || !ok {
		t.Errorf("within a minute: %v, %v", got, ok)
	}
	clock.sleep(time.Hour)
	if got, ok := c.Last("a"); got != 1 || !ok {
		t.Errorf("last: %v, %v", got, ok)
	}
}

func TestAgeCountsFromTheBeginningOfTheRead(t *testing.T) {
	clock := newClock()
	c := New[string, int](time.Second, 10, clock.now)
	read := c.Begin()
	clock.sleep(900 * time.Millisecond) // the store takes its time
	c.Put("a", 1, read)
	c.want(t, "a", 1, true)
	clock.sleep(100 * time.Millisecond)
	c.want(t, "a", 0, false)
	read = c.Begin()
	clock.sleep(5 * time.Second)
	c.Put("a", 2, read)
	c.want(t, "a", 0, false)
}

// The monotonic parts of both times say that nothing has passed. time.Time's Sub believes them.
func TestAgeGoesByTheWallClock(t *testing.T) {
	frozen := time.Now()
	read := At(frozen)
	thawed := frozen.Round(0).Add(time.Hour)
	if read.Within(time.Minute, thawed) {
		t.Error("an hour is within a minute")
	}
	if read.Within(time.Minute, frozen.Round(0).Add(-time.Nanosecond)) {
		t.Error("what is from the future is fresh")
	}
	if !read.Within(time.Minute, frozen) {
		t.Error("what was read now is stale")
	}
}

func TestClockThatWasPutBackMakesValuesBeReadAgain(t *testing.T) {
	clock := newClock()
	c := New[string, int](time.Second, 10, clock.now)
	c.Put("a", 1, c.Begin())
	clock.sleep(-time.Hour)
	c.want(t, "a", 0, false)
	c.Put("a", 2, c.Begin())
	c.want(t, "a", 2, true)
}

func TestSlowerReaderPutsNothingBack(t *testing.T) {
	for _, ttl := range []time.Duration{time.Second, Forever} {
		clock := newClock()
		c := New[string, int](ttl, 10, clock.now)
		slow := c.Begin()
		c.Put("a", 2, c.Begin())
		c.Put("a", 1, slow)
		c.want(t, "a", 2, true)
		slow = c.Begin()
		c.Forget("a")
		c.Put("a", 2, slow)
		c.want(t, "a", 0, false)
		c.Put("a", 3, c.Begin())
		c.want(t, "a", 3, true)
	}
}

func TestForeverAndNever(t *testing.T) {
	clock := newClock()
	forever, never := New[string, int](Forever, 10, clock.now), New[string, int](0, 10, clock.now)
	forever.Put("a", 1, forever.Begin())
	never.Put("a", 1, never.Begin())
	clock.sleep(1000 * time.Hour)
	forever.want(t, "a", 1, true)
	never.want(t, "a", 0, false)
	if _, ok := never.Last("a"); ok {
		t.Error("what is read each time is kept")
	}
}

func TestSizeIsBounded(t *testing.T) {
	clock := newClock()
	c := New[int, int](time.Second, 10, clock.now)
	for i := range 1000 {
		c.Put(i, i, c.Begin())
		c.Forget(-i)
		if len(c.m) > 10 {
			t.Fatalf("%d values", len(c.m))
		}
	}
}
