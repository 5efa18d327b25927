package stats

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Shape of a histogram: a bucket for what takes less than 1,024 ns, and four for each power of two up to about a second.
const (
	leastBits  = 10
	octaves    = 20
	perOctave  = 4
	maxLatency = time.Second // longer ones count as this, as in Redis
)

// histogram counts durations by their sizes.
type histogram [1 + octaves*perOctave]atomic.Int64

func (h *histogram) add(d time.Duration) { h[bucketOf(d)].Add(1) }

func (h *histogram) calls() (n int64) {
	for i := range h {
		n += h[i].Load()
	}
	return n
}

func bucketOf(d time.Duration) int {
	n := uint64(max(min(d, maxLatency), 0))
	octave := bits.Len64(n) - leastBits - 1
	if octave < 0 {
		return 0
	}
	quarter := int(n>>(octave+leastBits-2)) & (perOctave - 1)
	return 1 + octave*perOctave + quarter
}

// highest is the longest duration of a bucket in ns.
func highest(bucket int) int64 {
	octave, quarter := (bucket-1)/perOctave, (bucket-1)%perOctave
	if bucket == 0 {
		return 1<<leastBits - 1
	}
	least := int64(1) << (octave + leastBits)
	return least + least/perOctave*int64(quarter+1) - 1
}

// row says how many calls took no more than so many microseconds.
type row struct{ micros, calls int64 }

// cumulative are the rows that LATENCY HISTOGRAM shows: one for each power of two in which calls are, with the calls before. The
// bounds are those of Redis, whose own histogram has 128 parts for each power of two: 1, 2, 4, 8, 16, 33, 66 ...
func (h *histogram) cumulative() (rows []row, calls int64) {
	for octave := range octaves + 1 { // 0: the bucket in front of them
		before := calls
		if octave == 0 {
			calls += h[0].Load()
		} else {
			for quarter := range perOctave {
				calls += h[1+(octave-1)*perOctave+quarter].Load()
			}
		}
		if calls > before {
			bound := int64(1) << (leastBits + octave)
			rows = append(rows, row{(bound + bound/128 - 1) / 1000, calls})
		}
	}
	return rows, calls
}

// percentile is the duration in ns that so many per cent of the calls do not exceed, with an error of a quarter; 0 without calls.
func (h *histogram) percentile(p float64) int64 {
	calls := int64(0)
	var counts [len(h)]int64
	for i := range h {
		counts[i] = h[i].Load()
		calls += counts[i]
	}
	rank := max(int64(math.Ceil(p/100*float64(calls))), 1)
	for i, n := range counts {
		if rank -= n; n > 0 && rank <= 0 {
			return highest(i)
		}
	}
	return 0
}
