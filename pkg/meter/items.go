package meter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// How long items are kept.
const (
	hoursKept  = 100 * 24 * time.Hour
	daysKept   = 800 * 24 * time.Hour
	markerKept = 7 * 24 * time.Hour
)

// Layouts of sort keys.
const (
	hourLayout = "2006010215"
	dayLayout  = "20060102"
)

func hourPartition(r Resource) string { return "uh" + r.String() }
func dayPartition(r Resource) string  { return "ud" + r.String() }

func hourKey(r Resource, t time.Time) store.Key {
	return store.Key{Partition: hourPartition(r), Sort: t.UTC().Format(hourLayout)}
}

func dayKey(r Resource, t time.Time) store.Key {
	return store.Key{Partition: dayPartition(r), Sort: t.UTC().Format(dayLayout)}
}

func markerKey(instance string) store.Key {
	return store.Key{Partition: "ui" + instance, Sort: "s"}
}

func statusKey(r Resource) store.Key  { return store.Key{Partition: "us" + r.String(), Sort: "s"} }
func storageKey(r Resource) store.Key { return store.Key{Partition: "us" + r.String(), Sort: "b"} }

// counterNames are the letters of counters in attribute names.
var counterNames = [...]struct {
	letter string
	get    func(*Counters) int64
	set    func(*Counters, int64)
}{
	{"q", func(c *Counters) int64 { return c.Requests }, func(c *Counters, n int64) { c.Requests = n }},
	{"b", func(c *Counters) int64 { return c.Blocked }, func(c *Counters, n int64) { c.Blocked = n }},
	{"e", func(c *Counters) int64 { return c.Refused }, func(c *Counters, n int64) { c.Refused = n }},
	{"f", func(c *Counters) int64 { return c.Failed }, func(c *Counters, n int64) { c.Failed = n }},
	{"g", func(c *Counters) int64 { return c.Gateway }, func(c *Counters, n int64) { c.Gateway = n }},
	{"c", func(c *Counters) int64 { return c.Commands }, func(c *Counters, n int64) { c.Commands = n }},
	{"i", func(c *Counters) int64 { return c.BytesIn }, func(c *Counters, n int64) { c.BytesIn = n }},
	{"o", func(c *Counters) int64 { return c.BytesOut }, func(c *Counters, n int64) { c.BytesOut = n }},
	{"k", func(c *Counters) int64 { return c.Calls }, func(c *Counters, n int64) { c.Calls = n }},
	{"r", func(c *Counters) int64 { return thousandths(c.ReadUnits) }, func(c *Counters, n int64) { c.ReadUnits = float64(n) / 1000 }},
	{"w", func(c *Counters) int64 { return thousandths(c.WriteUnits) }, func(c *Counters, n int64) { c.WriteUnits = float64(n) / 1000 }},
	{"d", func(c *Counters) int64 { return int64(c.Busy) }, func(c *Counters, n int64) { c.Busy = time.Duration(n) }},
	{"a", func(c *Counters) int64 { return c.Errors }, func(c *Counters, n int64) { c.Errors = n }},
	{"h", func(c *Counters) int64 { return c.Hits }, func(c *Counters, n int64) { c.Hits = n }},
	{"m", func(c *Counters) int64 { return c.Misses }, func(c *Counters, n int64) { c.Misses = n }},
}

// classUsage is what is to be added to one class of an item.
type classUsage struct {
	counters Counters
	latency  Sketch
	edits    int // that the addition takes
}

func (u *classUsage) add(s *Sum) {
	u.edits += u.missing(s)
	u.counters.Add(s.Counters)
	u.latency.Merge(s.Latency)
}

// missing is how many more edits it takes with a sum added.
func (u *classUsage) missing(s *Sum) int {
	n := 0
	for _, c := range counterNames {
		if c.get(&u.counters) == 0 && c.get(&s.Counters) != 0 {
			n++
		}
	}
	for bucket := range s.Latency.All() {
		if u.latency.count(bucket) == 0 {
			n++
		}
	}
	return n
}

// appendEdits appends the edits that add to an item of usage.
func (u *classUsage) appendEdits(edits []store.Edit, class string) []store.Edit {
	add := func(name string, n int64) {
		name = class + "." + name
		edits = append(edits, store.Add(name, name, n))
	}
	for _, c := range counterNames {
		if n := c.get(&u.counters); n != 0 {
			add(c.letter, n)
		}
	}
	for bucket, n := range u.latency.All() {
		add(strconv.Itoa(bucket), n)
	}
	return edits
}

// readUsage reads an item of usage.
func readUsage(start time.Time, attrs store.Attrs) (Usage, error) {
	u := Usage{Start: start}
	for _, a := range attrs {
		class, name, ok := strings.Cut(a.Name, ".")
		if !ok {
			continue
		}
		c := u.class(class)
		if err := c.set(name, a.Value.Num()); err != nil {
			return Usage{}, fmt.Errorf("meter: attribute %s: %w", a.Name, err)
		}
	}
	for _, c := range u.Classes {
		u.Counters.Add(c.Counters)
		if c.Class != ClassDeliver {
			u.Latency.Merge(c.Latency)
		}
	}
	return u, nil
}

func (c *ClassUsage) set(name string, n int64) error {
	for _, counter := range counterNames {
		if counter.letter == name {
			counter.set(&c.Counters, n)
			return nil
		}
	}
	bucket, err := strconv.Atoi(name)
	if err != nil {
		return err
	}
	if bucket < 0 || bucket >= Buckets {
		return errors.New("no such bucket")
	}
	c.Latency.add(bucket, n)
	return nil
}
