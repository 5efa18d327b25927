package redis_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store/faulty"
)

var entryPattern = regexp.MustCompile(`\["(\d+)-(\d+)" \["client" "([^"]*)"`)

// Clients of several engines add to one stream, and deliver and acknowledge its entries, while
// answers are lost: each entry is there once, is delivered once, and ids only grow.
func TestStreamsUnderLostAnswers(t *testing.T) {
	const clients, times = 16, 30
	f := newFleet(t, 4)
	for _, c := range []string{"xgroup create s g 0 mkstream", "xgroup create s other 0"} {
		if got, ok := f.do(0, c); !ok || got != "OK" {
			t.Fatal(c, got)
		}
	}
	f.clock.advance(time.Hour) // the key is older than any attempt
	f.faults.SetPlan(stormy)
	var delivered, added sync.Map
	var acked sync.Mutex
	total := 0
	f.run(clients, times, func(c, i int) {
		name := fmt.Sprintf("%d/%d", c, i)
		id, ok := f.do(c, fmt.Sprintf("xadd s * client %s pad %s", name, strings.Repeat("p", 40)))
		if before, loaded := added.LoadOrStore(id, name); !ok || loaded {
			t.Errorf("XADD of %s replied %s (known: %v), as did that of %v", name, id, ok, before)
		}
		got, ok := f.do(c, fmt.Sprintf("xreadgroup group g c%d count 3 streams s >", c))
		if !ok {
			t.Error("XREADGROUP: outcome unknown")
		}
		var ids []string
		for _, m := range entryPattern.FindAllStringSubmatch(got, -1) {
			if before, loaded := delivered.LoadOrStore(m[3], c); loaded {
				t.Errorf("%s was delivered to %v and %d", m[3], before, c)
			}
			ids = append(ids, m[1]+"-"+m[2])
		}
		if len(ids) == 0 {
			return
		}
		n, ok := f.do(c, "xack s g "+strings.Join(ids, " "))
		if want := fmt.Sprintf("(integer) %d", len(ids)); !ok || n != want {
			t.Errorf("XACK replied %s (known: %v), want %s", n, ok, want)
		}
		acked.Lock()
		defer acked.Unlock()
		total += len(ids)
	})
	f.faults.SetPlan(faulty.Plan{})
	f.faults.Flush()
	if c := f.faults.Counts(); c.LostApplied < 50 || c.LostUnapplied < 25 || c.LostLate < 5 {
		t.Errorf("too few faults to prove anything: %+v", c)
	}
	if n := f.unknown.Load(); n != 0 {
		t.Errorf("%d commands of unknown outcome, want none on a key that nobody overwrites", n)
	}
	all, _ := f.do(0, "xrange s - +")
	seen := map[string]bool{}
	var lastMs, lastSeq uint64
	for _, m := range entryPattern.FindAllStringSubmatch(all, -1) {
		ms, _ := strconv.ParseUint(m[1], 10, 64)
		seq, _ := strconv.ParseUint(m[2], 10, 64)
		if seen[m[3]] || ms < lastMs || ms == lastMs && seq <= lastSeq && lastMs > 0 {
			t.Errorf("entry %s-%s of %s is there twice, or not in order", m[1], m[2], m[3])
		}
		seen[m[3]], lastMs, lastSeq = true, ms, seq
		if name, ok := added.Load(strconv.Quote(m[1] + "-" + m[2])); !ok || name != m[3] {
			t.Errorf("entry %s-%s is of %s, but XADD gave that id to %v", m[1], m[2], m[3], name)
		}
	}
	if len(seen) != clients*times {
		t.Errorf("%d entries, want %d", len(seen), clients*times)
	}
	if got, _ := f.do(0, "xpending s g"); got != "[(integer) 0 (nil) (nil) (nil)]" {
		t.Errorf("pending: %s", got)
	}
	rest, _ := f.do(0, "xreadgroup group g rest streams s >")
	if n := total + len(entryPattern.FindAllString(rest, -1)); n != clients*times {
		t.Errorf("%d entries were delivered, want %d", n, clients*times)
	}
}

// 64 clients of one engine, and of several, add to one stream that is kept at a length, and each
// in a transaction with another key.
func TestStreamContention(t *testing.T) {
	for _, engines := range []int{1, 8} {
		t.Run(fmt.Sprintf("%d engines", engines), func(t *testing.T) {
			const clients, times = 64, 8
			f := newFleet(t, engines)
			var ids sync.Map
			f.run(clients, times, func(c, i int) {
				last := ""
				for _, cmd := range []string{"xadd s * f v", "xadd s maxlen 1000 * f " + strings.Repeat("v", 200)} {
					id, ok := f.do(c, cmd)
					if _, dup := ids.LoadOrStore(id, true); !ok || dup || len(id) < len(last) {
						t.Errorf("%s: %s (known: %v)", cmd, id, ok)
					}
					last = id
				}
				if got, ok := f.do(c, "xadd t * f v", "incr n"); !ok || strings.Contains(got, "-ERR") {
					t.Errorf("MULTI: %q", got)
				}
			})
			n := clients * times
			for _, want := range [][2]string{
				{"xlen s", fmt.Sprintf("(integer) %d", min(2*n, 1000))},
				{"xlen t", fmt.Sprintf("(integer) %d", n)},
				{"get n", strconv.Quote(strconv.Itoa(n))},
			} {
				if got, _ := f.do(0, want[0]); got != want[1] {
					t.Errorf("%s: got %s, want %s", want[0], got, want[1])
				}
			}
			if got, _ := f.do(0, "xinfo stream s"); !strings.Contains(got, fmt.Sprintf(`"entries-added" (integer) %d`, 2*n)) {
				t.Errorf("want %d entries added: %s", 2*n, got)
			}
		})
	}
}
