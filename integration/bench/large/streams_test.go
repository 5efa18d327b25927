package large

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// streamBatch is how many entries are added in one transaction.
const streamBatch = 2000

// streamCommands are commands on a stream with a group to which the first fifth of it is pending, and the most
// calls that they may take.
var streamCommands = []struct {
	line  string
	calls int
}{
	{"XADD k * field value", 2},
	{"XADD k MAXLEN ~ {size} * field value", 3},
	{"XLEN k", 1},
	{"XRANGE k - + COUNT 10", 3},
	{"XRANGE k {middle} + COUNT 10", 3},
	{"XREVRANGE k + - COUNT 10", 3},
	{"XREVRANGE k {middle} - COUNT 10", 4},
	{"XREAD COUNT 100 STREAMS k {middle}", 3},
	{"XREAD STREAMS k $", 1},
	{"XINFO STREAM k", 3},
	{"XINFO GROUPS k", 1},
	{"XREADGROUP GROUP g c COUNT 100 STREAMS k >", 3},
	{"XREADGROUP GROUP g c COUNT 1000 STREAMS k >", 3},
	{"XREADGROUP GROUP g c STREAMS k {last}", 2},
	{"XACK k g {pending}", 3},
	{"XPENDING k g", 4},
	{"XPENDING k g - + 10", 3},
	{"XCLAIM k g d 0 {pending}", 4},
	{"XAUTOCLAIM k g d 0 0 COUNT 10", 4},
	{"XDEL k {middle}", 3},
	{"XTRIM k MAXLEN 100", 3},
}

// What commands on streams cost does not depend on how long the stream is.
func TestCostOfStreamsDoesNotDependOnTheSize(t *testing.T) {
	for name := range strings.SplitSeq(*stores, ",") {
		t.Run(name, func(t *testing.T) {
			small := measureStream(t, name, smaller())
			large := measureStream(t, name, *elements)
			for i, c := range streamCommands {
				s, l := small[i], large[i]
				t.Logf("%-46s %2d calls, %5.1f read and %5.1f write units; of %d: %d, %.1f and %.1f", c.line, s.calls, s.reads, s.writes, *elements, l.calls, l.reads, l.writes)
				if l.refused != "" || s.refused != "" {
					t.Errorf("%s: %s%s", c.line, l.refused, s.refused)
				}
				if l.calls > c.calls || s.calls > c.calls {
					t.Errorf("%s: %d calls for a small stream, %d for a large one, want at most %d", c.line, s.calls, l.calls, c.calls)
				}
				if l.reads > s.reads+2 || l.writes > s.writes+2 {
					t.Errorf("%s: %v read and %v write units for a small stream, %v and %v for a large one", c.line, s.reads, s.writes, l.reads, l.writes)
				}
			}
		})
	}
}

func measureStream(t *testing.T, store string, size int) []cost {
	t.Helper()
	b := &bench{t: t, store: open(t, store), size: size, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	b.engine = redis.New(redis.Config{Store: b.store, Now: b.clock})
	var err error
	if b.db, err = b.engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "large"}); err != nil {
		t.Fatal(err)
	}
	progress(t, "stream of %d: building", size)
	b.multi("XGROUP CREATE k g 0 MKSTREAM")
	b.multi("XADD k 0-1 field value", "XREADGROUP GROUP g c STREAMS k >", "XACK k g 0-1")
	for i := 0; i < size; i += streamBatch {
		var lines []string
		for j := i; j < min(i+streamBatch, size); j++ {
			lines = append(lines, fmt.Sprintf("XADD k %d-0 number %d field some-value-of-%d", j+1, j, j))
		}
		if i < size/5 {
			lines = append(lines, fmt.Sprintf("XREADGROUP GROUP g c COUNT %d STREAMS k >", min(streamBatch, size/5-i)))
		}
		b.multi(lines...)
	}
	b.advance(time.Minute)
	progress(t, "stream of %d: measuring", size)
	fill := strings.NewReplacer("{size}", fmt.Sprint(size), "{middle}", fmt.Sprint(size/2), "{pending}", fmt.Sprint(size/10), "{last}", fmt.Sprint(size))
	costs := make([]cost, len(streamCommands))
	for i, c := range streamCommands {
		costs[i] = b.run(strings.Fields(fill.Replace(c.line)))
		b.advance(time.Minute)
	}
	return costs
}

// multi runs a transaction.
func (b *bench) multi(lines ...string) {
	b.t.Helper()
	cmds := make([][]string, len(lines))
	for i, line := range lines {
		cmds[i] = strings.Fields(line)
	}
	var w resp.Writer
	if err := b.engine.Multi(b.t.Context(), b.db, redis.Access{}, cmds, &w); err != nil {
		b.t.Fatal(err)
	}
	if text, failed := resp.ErrorText(w.Buf); failed {
		b.t.Fatal(text)
	}
}
