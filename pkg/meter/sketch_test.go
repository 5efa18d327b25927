package meter

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestQuantilesAreRightToTheStatedError(t *testing.T) {
	durations := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
		exponent := rapid.Float64Range(lowestBits, lowestBits+octaves).Draw(t, "exponent")
		return time.Duration(math.Exp2(exponent))
	}), 1, 200)
	rapid.Check(t, func(t *rapid.T) {
		all := durations.Draw(t, "durations")
		q := rapid.SampledFrom([]float64{0, 0.5, 0.9, 0.99, 1}).Draw(t, "quantile")
		var parts [3]Sketch
		for i, d := range all {
			parts[i%3].Add(d, 1)
		}
		var s Sketch
		for _, p := range parts {
			s.Merge(p)
		}
		if s.Count() != int64(len(all)) {
			t.Fatalf("%d durations, counted %d", len(all), s.Count())
		}
		slices.Sort(all)
		want := float64(all[max(0, int(math.Ceil(q*float64(len(all))))-1)])
		if got := float64(s.Quantile(q)); math.Abs(got-want) > RelativeError*want {
			t.Fatalf("quantile %v is %v, of %v the true one is %v", q, got, all, want)
		}
	})
}

func TestBucketsAreInTheOrderOfDurations(t *testing.T) {
	for i := range Buckets {
		if got := bucketOf(bucketValue(i)); got != i {
			t.Errorf("bucket %d stands for %v, which is in bucket %d", i, bucketValue(i), got)
		}
		low := time.Duration(math.Ceil(math.Exp2(lowestBits + float64(i)/perOctave)))
		if got := bucketOf(low); got != i {
			t.Errorf("%d ns begins bucket %d, but is in %d", low, i, got)
		}
		if got := bucketOf(low - 1); got != max(0, i-1) {
			t.Errorf("%d ns is in bucket %d, not %d", low-1, got, max(0, i-1))
		}
	}
	for d, want := range map[time.Duration]int{-1: 0, 0: 0, 1023: 0, 1024: 0, math.MaxInt64: Buckets - 1, time.Hour: Buckets - 1} {
		if got := bucketOf(d); got != want {
			t.Errorf("%d ns is in bucket %d, want %d", d, got, want)
		}
	}
}

func TestNoDurationsHaveNoQuantile(t *testing.T) {
	var s Sketch
	if s.Quantile(0.5) != 0 || s.Count() != 0 {
		t.Error("an empty sketch has a quantile")
	}
}

func BenchmarkBucketOf(b *testing.B) {
	d := 37 * time.Microsecond
	for b.Loop() {
		if bucketOf(d) < 0 {
			b.Fatal()
		}
	}
}
