package meter

import (
	"math"
	"math/bits"
	"time"
)

// A Sketch's buckets divide each power of two between 1.024 microseconds and 18 minutes into eight
// parts of equal ratio.
const (
	perOctave  = 8
	lowestBits = 10 // durations below 2^10 ns are in bucket 0
	octaves    = 30 // durations from 2^40 ns are in the last bucket
	// Buckets is the number of buckets of a Sketch.
	Buckets = octaves * perOctave
)

// RelativeError is how far a Sketch's quantile may be from the true one, as a fraction of it, between 1 µs and 18 minutes.
const RelativeError = 0.044 // (r-1)/(r+1) with r the eighth root of 2, and a nanosecond

// bounds are the lower bounds of an octave's buckets, as the fraction of a power of two, in 2^-64.
var bounds = func() (b [perOctave]uint64) {
	for i := 1; i < perOctave; i++ {
		b[i] = uint64((math.Exp2(float64(i)/perOctave)-1)*(1<<52)) << 12
	}
	return b
}()

// bucketOf is the bucket of a duration.
func bucketOf(d time.Duration) int {
	if d < 1<<lowestBits {
		return 0
	}
	exponent := bits.Len64(uint64(d)) - 1
	if exponent >= lowestBits+octaves {
		return Buckets - 1
	}
	fraction := uint64(d) << (63 - exponent) << 1
	part := 0
	for part+1 < perOctave && fraction >= bounds[part+1] {
		part++
	}
	return (exponent-lowestBits)*perOctave + part
}

// bucketValue is the duration that stands for all of a bucket: it errs by the same ratio at both of its ends.
func bucketValue(i int) time.Duration {
	low := math.Exp2(lowestBits + float64(i)/perOctave)
	high := math.Exp2(lowestBits + float64(i+1)/perOctave)
	return time.Duration(2 * low * high / (low + high))
}

// BucketBound is the duration below which those of a bucket are, and those of all buckets before it.
func BucketBound(bucket int) time.Duration {
	return time.Duration(math.Exp2(lowestBits + float64(bucket+1)/perOctave))
}

// Sketch is a distribution of durations, as counts in fixed buckets: sketches can be added, and
// their quantiles are right to RelativeError. The zero value is empty. Like a slice, a copy shares what it holds.
type Sketch struct {
	first  int // bucket of counts[0]
	counts []int64
}

// Add counts n durations.
func (s *Sketch) Add(d time.Duration, n int64) { s.add(bucketOf(d), n) }

func (s *Sketch) add(bucket int, n int64) {
	if n == 0 {
		return
	}
	if len(s.counts) == 0 {
		s.first = bucket
	}
	if bucket < s.first {
		s.counts = append(make([]int64, s.first-bucket, s.first-bucket+len(s.counts)), s.counts...)
		s.first = bucket
	}
	for bucket >= s.first+len(s.counts) {
		s.counts = append(s.counts, 0)
	}
	s.counts[bucket-s.first] += n
}

// Merge adds another sketch.
func (s *Sketch) Merge(o Sketch) {
	for bucket, n := range o.All() {
		s.add(bucket, n)
	}
}

// All gives the buckets that are not empty, in ascending order, with their counts.
func (s Sketch) All() func(yield func(bucket int, n int64) bool) {
	return func(yield func(int, int64) bool) {
		for i, n := range s.counts {
			if n != 0 && !yield(s.first+i, n) {
				return
			}
		}
	}
}

// count is a bucket's.
func (s Sketch) count(bucket int) int64 {
	if i := bucket - s.first; i >= 0 && i < len(s.counts) {
		return s.counts[i]
	}
	return 0
}

// Count is how many durations there are.
func (s Sketch) Count() int64 {
	sum := int64(0)
	for _, n := range s.counts {
		sum += n
	}
	return sum
}

// Quantile is the least duration that a fraction q of all do not exceed, 0 of none: 0.5 is for the
// median, 0.99 for the 99th percentile.
func (s Sketch) Quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(s.Count())))
	for bucket, n := range s.All() {
		if rank -= n; rank <= 0 {
			return bucketValue(bucket)
		}
	}
	return 0
}
