package meter

import (
	"cmp"
	"time"
)

// sumKey is what the records of a Sum have in common.
type sumKey struct {
	resource Resource
	class    string
	hour     int64 // since 1970
}

func (r *Record) key() sumKey { return sumKey{r.Resource, r.Class, r.At.Unix() / 3600} }

// empty is a sum of no records.
func (k sumKey) empty() *Sum {
	return &Sum{Resource: k.resource, Class: k.class, Hour: time.Unix(k.hour*3600, 0).UTC()}
}

func (k sumKey) compare(o sumKey) int {
	return cmp.Or(
		cmp.Compare(k.resource.Product, o.resource.Product), cmp.Compare(k.resource.ID, o.resource.ID),
		cmp.Compare(k.class, o.class), cmp.Compare(k.hour, o.hour))
}

// running is a sum that grows.
type running struct {
	key      sumKey
	counters Counters
	latency  [Buckets]int64
}

func (s *running) add(r *Record) {
	s.counters.Add(r.counters())
	if !r.Blocked {
		s.latency[bucketOf(r.Duration)]++
	}
}

func (s *running) addTo(sum *Sum) {
	sum.Counters.Add(s.counters)
	for bucket, n := range s.latency {
		sum.Latency.add(bucket, n)
	}
}

// runningSums are sums by what their records have in common.
type runningSums map[sumKey]*running

// at is the sum of a key, which begins if there is none.
func (s *runningSums) at(key sumKey) *running {
	sum := (*s)[key]
	if sum == nil {
		sum = &running{key: key}
		if *s == nil {
			*s = runningSums{}
		}
		(*s)[key] = sum
	}
	return sum
}

// split divides a sum into such as can be folded by themselves.
func (s *Sum) split() []Sum {
	parts := []Sum{{Resource: s.Resource, Class: s.Class, Hour: s.Hour, Counters: s.Counters}}
	n := len(counterNames)
	for bucket, count := range s.Latency.All() {
		if n == maxEdits {
			parts = append(parts, Sum{Resource: s.Resource, Class: s.Class, Hour: s.Hour})
			n = 0
		}
		parts[len(parts)-1].Latency.add(bucket, count)
		n++
	}
	return parts
}
