package meter

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Usage is what a resource has used in an hour, a day or a month.
type Usage struct {
	Start    time.Time    // UTC
	Counters Counters     // of all classes
	Latency  Sketch       // of all classes but ClassDeliver: its attempts take as long as destinations do
	Classes  []ClassUsage // by name; only those that there were
}

// ClassUsage is the usage of one class.
type ClassUsage struct {
	Class    string
	Counters Counters
	Latency  Sketch
}

// P50 is the median of the latencies, to RelativeError; 0 of none.
func (u Usage) P50() time.Duration { return u.Latency.Quantile(0.5) }

// P99 is the 99th percentile.
func (u Usage) P99() time.Duration { return u.Latency.Quantile(0.99) }

// Own are the counters without those of ClassDeliver: what was asked of us, not what we have asked of others.
func (u Usage) Own() Counters {
	var c Counters
	for _, class := range u.Classes {
		if class.Class != ClassDeliver {
			c.Add(class.Counters)
		}
	}
	return c
}

// Class is the usage of one class, zero if there was none.
func (u Usage) Class(name string) ClassUsage {
	i, ok := slices.BinarySearchFunc(u.Classes, name, compareClass)
	if !ok {
		return ClassUsage{Class: name}
	}
	return u.Classes[i]
}

func compareClass(c ClassUsage, name string) int { return strings.Compare(c.Class, name) }

// class is a class to be changed; it makes it if need be.
func (u *Usage) class(name string) *ClassUsage {
	i, ok := slices.BinarySearchFunc(u.Classes, name, compareClass)
	if !ok {
		u.Classes = slices.Insert(u.Classes, i, ClassUsage{Class: name})
	}
	return &u.Classes[i]
}

// Add adds another usage; Start stays.
func (u *Usage) Add(o Usage) {
	u.Counters.Add(o.Counters)
	u.Latency.Merge(o.Latency)
	for _, c := range o.Classes {
		to := u.class(c.Class)
		to.Counters.Add(c.Counters)
		to.Latency.Merge(c.Latency)
	}
}

// Storage is how much a resource stores.
type Storage struct {
	Bytes int64     `json:"bytes"` // as the database bills them: keys, names and values of all items
	Items int64     `json:"items"`
	At    time.Time `json:"at"` // when they were counted; zero: never
	Spent float64   `json:"-"`  // write units of the resource at that time, which tell how much may have changed since

	// Month and ByteHours say how much was stored for how long, from the beginning of the UTC month that At is in until At. Between
	// two measurements it is taken to have changed evenly; before the first one, nothing is known to have been stored. Month is
	// zero in what was measured before this was counted.
	Month     time.Time `json:"month,omitzero"`
	ByteHours float64   `json:"byte_hours,omitempty"`
}

// Until returns the byte hours of the UTC month that now is in, until now.
func (s Storage) Until(now time.Time) float64 {
	begin := monthOf(now)
	switch {
	case s.At.IsZero() || s.Month.IsZero() || s.Month.Before(begin): // the same all the month
		return float64(s.Bytes) * now.Sub(begin).Hours()
	case now.Before(s.At):
		return s.ByteHours
	}
	return s.ByteHours + float64(s.Bytes)*now.Sub(s.At).Hours()
}

// since counts the byte hours of a measurement; had is the one before.
func (s *Storage) since(had Storage) {
	s.Month = monthOf(s.At)
	if had.At.IsZero() || !had.At.Before(s.At) {
		s.ByteHours = had.ByteHours
		return
	}
	from, bytes := had.At, float64(had.Bytes)
	if from.Before(s.Month) { // what it had at the beginning of the month
		passed := float64(s.Month.Sub(from)) / float64(s.At.Sub(from))
		bytes += passed * float64(s.Bytes-had.Bytes)
		from = s.Month
	} else {
		s.ByteHours = had.Until(had.At)
	}
	s.ByteHours += (bytes + float64(s.Bytes)) / 2 * s.At.Sub(from).Hours()
}

// Book reads usage. It is safe for concurrent use.
type Book struct {
	store store.Store
}

// NewBook reads from the control table.
func NewBook(st store.Store) *Book { return &Book{store: st} }

// Hours is the usage of the hours that begin in [from, to), in ascending order, without those that
// there was none in. The last one may be incomplete by as much as the transport takes, on AWS a minute or two; what an instance holds that is frozen comes when it thaws or ends.
// Hours are kept for 100 days.
func (b *Book) Hours(ctx context.Context, r Resource, from, to time.Time) ([]Usage, error) {
	return b.usage(ctx, hourPartition(r), hourLayout, ceil(from, time.Hour), ceil(to, time.Hour))
}

// Days is the usage of the UTC days that begin in [from, to), as Hours is of hours. Days are kept for 800 days.
func (b *Book) Days(ctx context.Context, r Resource, from, to time.Time) ([]Usage, error) {
	const day = 24 * time.Hour
	return b.usage(ctx, dayPartition(r), dayLayout, ceil(from, day), ceil(to, day))
}

// Day is the usage of the UTC day that t is in.
func (b *Book) Day(ctx context.Context, r Resource, t time.Time) (Usage, error) {
	start := t.UTC().Truncate(24 * time.Hour)
	attrs, err := b.store.Get(ctx, dayKey(r, start))
	if err != nil {
		return Usage{}, fmt.Errorf("meter: reading the usage of %s: %w", r, err)
	}
	return readUsage(start, attrs)
}

// Month is the usage of the UTC month that t is in.
func (b *Book) Month(ctx context.Context, r Resource, t time.Time) (Usage, error) {
	start := monthOf(t)
	days, err := b.Days(ctx, r, start, start.AddDate(0, 1, 0))
	if err != nil {
		return Usage{}, err
	}
	month := Usage{Start: start}
	for _, d := range days {
		month.Add(d)
	}
	return month, nil
}

// monthOf is when the UTC month began.
func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// ceil is the first multiple of d since the zero time that is not before t.
func ceil(t time.Time, d time.Duration) time.Time {
	c := t.UTC().Truncate(d)
	if c.Before(t) {
		c = c.Add(d)
	}
	return c
}

func (b *Book) usage(ctx context.Context, partition, layout string, from, to time.Time) ([]Usage, error) {
	if !from.Before(to) {
		return nil, nil
	}
	var all []Usage
	q := store.Query{Partition: partition, From: from.Format(layout), To: to.Format(layout)}
	for {
		page, err := b.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("meter: reading usage: %w", err)
		}
		for _, it := range page.Items {
			start, err := time.Parse(layout, it.Key.Sort)
			if err != nil {
				return nil, fmt.Errorf("meter: reading usage: %w", err)
			}
			u, err := readUsage(start, it.Attrs)
			if err != nil {
				return nil, err
			}
			all = append(all, u)
		}
		if !page.More {
			return all, nil
		}
		q = q.Next(page)
	}
}

// Attributes of a resource's state.
const (
	attrJSON  = "j" // a Status or a Storage
	attrSpent = "w" // thousandths
)

// Status is how the resource's usage compared with its limits at the last fold.
func (b *Book) Status(ctx context.Context, r Resource) (Status, error) {
	var s Status
	_, err := b.state(ctx, statusKey(r), &s)
	return s, err
}

// Storage is how much the resource stored when it was last counted.
func (b *Book) Storage(ctx context.Context, r Resource) (Storage, error) {
	var s Storage
	attrs, err := b.state(ctx, storageKey(r), &s)
	s.Spent = float64(attrs.Get(attrSpent).Num()) / 1000
	return s, err
}

func (b *Book) state(ctx context.Context, key store.Key, to any) (store.Attrs, error) {
	attrs, err := b.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("meter: reading %q: %w", key.Partition, err)
	}
	if attrs == nil {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), to); err != nil {
		return nil, fmt.Errorf("meter: reading %q: %w", key.Partition, err)
	}
	return attrs, nil
}

// Forget deletes what is known of a resource: for when it has been deleted. What was on its way then
// is still counted, and expires.
func (b *Book) Forget(ctx context.Context, r Resource) error {
	for _, partition := range []string{hourPartition(r), dayPartition(r), statusKey(r).Partition} {
		q := store.Query{Partition: partition}
		for more := true; more; {
			page, err := b.store.Query(ctx, q)
			if err != nil {
				return fmt.Errorf("meter: deleting the usage of %s: %w", r, err)
			}
			keys := make([]store.Key, len(page.Items))
			for i, it := range page.Items {
				keys[i] = it.Key
			}
			if err := b.store.Load(ctx, nil, keys); err != nil {
				return fmt.Errorf("meter: deleting the usage of %s: %w", r, err)
			}
			if more = page.More; more {
				q = q.Next(page)
			}
		}
	}
	return nil
}
