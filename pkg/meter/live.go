package meter

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"
)

// Steps that a Live keeps usage by.
const (
	LiveStep   = 10 * time.Second // for an hour
	LiveMinute = time.Minute      // for a day
)

// What a Live keeps at most.
const (
	liveSteps     = int(time.Hour / LiveStep)
	liveMinutes   = int(24 * time.Hour / LiveMinute)
	liveResources = 200 // the least recently used ones are forgotten
	liveNames     = 300 // commands of a minute; all others are one
	liveErrors    = 100 // errors of a minute, by command and text
	liveErrorText = 160 // bytes of an error's text
	otherName     = "other"
)

// Live keeps in memory what resources have used of late, by steps of ten seconds and of a minute, and passes all records on. It is for
// servers that run all the time; what it knows ends with the process. It is safe for concurrent use.
type Live struct {
	next  Recorder
	now   func() time.Time
	since time.Time

	mu     sync.Mutex
	of     map[Resource]*liveResource
	recent list.List // of *liveResource, the last one used in front
}

// liveResource is what is known of a resource.
type liveResource struct {
	resource Resource
	place    *list.Element

	mu      sync.Mutex
	steps   ring[Usage]
	minutes ring[Usage]
	details ring[liveDetails] // of minutes, for an hour
}

// liveDetails are the commands of a minute.
type liveDetails struct {
	commands map[string]*CommandUse
	failures map[failureKey]*Failure
}

type failureKey struct{ command, text string }

// CommandUse is what a command has used. A request's time, calls and request units are shared out evenly among its commands.
type CommandUse struct {
	Command               string
	Calls, Errors         int64
	Hits, Misses          int64
	Time                  time.Duration
	ReadUnits, WriteUnits float64
	Latency               Sketch // of the requests that the command was in
}

// Failure is an error that commands were answered with.
type Failure struct {
	Command, Text string
	Count         int64
	Last          time.Time
}

// NewLive makes a Live that passes records on to next.
func NewLive(next Recorder, now func() time.Time) *Live {
	if now == nil {
		now = time.Now
	}
	return &Live{next: next, now: now, since: now(), of: map[Resource]*liveResource{}}
}

// Since is when the Live was made. Nothing is known of what was before.
func (l *Live) Since() time.Time { return l.since }

// Record adds a record and passes it on.
func (l *Live) Record(r Record) {
	of := l.resource(r.Resource)
	of.mu.Lock()
	for _, u := range []*Usage{of.steps.at(r.At), of.minutes.at(r.At)} {
		if u != nil {
			u.record(&r)
		}
	}
	if d := of.details.at(r.At); d != nil {
		d.record(&r)
	}
	of.mu.Unlock()
	l.next.Record(r)
}

// resource finds a resource, or begins with it.
func (l *Live) resource(r Resource) *liveResource {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.of[r]
	if of == nil {
		if len(l.of) >= liveResources {
			last := l.recent.Back()
			delete(l.of, last.Value.(*liveResource).resource)
			l.recent.Remove(last)
		}
		of = &liveResource{resource: r, steps: newRing[Usage](LiveStep, liveSteps), minutes: newRing[Usage](LiveMinute, liveMinutes),
			details: newRing[liveDetails](LiveMinute, int(time.Hour/LiveMinute))}
		of.place = l.recent.PushFront(of)
		l.of[r] = of
	}
	if l.recent.Front() != of.place {
		l.recent.MoveToFront(of.place)
	}
	return of
}

func (l *Live) known(r Resource) *liveResource {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[r]
}

func (u *Usage) record(r *Record) {
	c := r.counters()
	class := u.class(r.Class)
	class.Counters.Add(c)
	u.Counters.Add(c)
	if r.Blocked {
		return
	}
	class.Latency.Add(r.Duration, 1)
	if r.Class != ClassDeliver {
		u.Latency.Add(r.Duration, 1)
	}
}

func (d *liveDetails) record(r *Record) {
	if len(r.Ran) == 0 {
		return
	}
	n := len(r.Ran)
	for i := range r.Ran {
		ran := &r.Ran[i]
		c := d.command(ran.Command)
		c.Calls++
		c.Hits += ran.Hits
		c.Misses += ran.Misses
		c.Time += r.Duration / time.Duration(n)
		c.ReadUnits += r.ReadUnits / float64(n)
		c.WriteUnits += r.WriteUnits / float64(n)
		c.Latency.Add(r.Duration, 1)
		if ran.Error != "" {
			c.Errors++
			d.failed(ran, r.At)
		}
	}
}

func (d *liveDetails) command(name string) *CommandUse {
	c := d.commands[name]
	if c != nil {
		return c
	}
	if d.commands == nil {
		d.commands = map[string]*CommandUse{}
	}
	if len(d.commands) >= liveNames {
		name = otherName
	}
	name = strings.Clone(name)
	c = cmp.Or(d.commands[name], &CommandUse{Command: name})
	d.commands[name] = c
	return c
}

func (d *liveDetails) failed(ran *Ran, at time.Time) {
	key := failureKey{ran.Command, strings.ToValidUTF8(ran.Error[:min(len(ran.Error), liveErrorText)], "")}
	if d.failures[key] == nil && len(d.failures) >= liveErrors {
		key = failureKey{otherName, "Other errors"}
	}
	f := d.failures[key]
	if f == nil {
		if d.failures == nil {
			d.failures = map[failureKey]*Failure{}
		}
		key = failureKey{strings.Clone(key.command), strings.Clone(key.text)}
		f = &Failure{Command: key.command, Text: key.text}
		d.failures[key] = f
	}
	f.Count++
	f.Last = at
}

// Steps is the usage of the last n steps, the present one last. step is LiveStep or LiveMinute.
func (l *Live) Steps(r Resource, step time.Duration, n int) []Usage {
	usage := make([]Usage, n)
	begin := l.now().Truncate(step).Add(-time.Duration(n-1) * step)
	for i := range usage {
		usage[i].Start = begin.Add(time.Duration(i) * step).UTC()
	}
	of := l.known(r)
	if of == nil {
		return usage
	}
	of.mu.Lock()
	defer of.mu.Unlock()
	from := &of.steps
	if step == LiveMinute {
		from = &of.minutes
	}
	for i := range usage {
		if u := from.get(usage[i].Start); u != nil {
			usage[i].Add(*u)
		}
	}
	return usage
}

// Commands are the commands of the last minutes, an hour's at most, those with most calls first.
func (l *Live) Commands(r Resource, minutes int) []CommandUse {
	all := map[string]*CommandUse{}
	l.eachMinute(r, minutes, func(d *liveDetails) {
		for name, c := range d.commands {
			to := all[name]
			if to == nil {
				to = &CommandUse{Command: name}
				all[name] = to
			}
			to.add(c)
		}
	})
	list := make([]CommandUse, 0, len(all))
	for _, c := range all {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b CommandUse) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Command, b.Command))
	})
	return list
}

func (c *CommandUse) add(o *CommandUse) {
	c.Calls += o.Calls
	c.Errors += o.Errors
	c.Hits += o.Hits
	c.Misses += o.Misses
	c.Time += o.Time
	c.ReadUnits += o.ReadUnits
	c.WriteUnits += o.WriteUnits
	c.Latency.Merge(o.Latency)
}

// Failures are the errors of the last minutes, an hour's at most, by command and text, the most frequent ones first.
func (l *Live) Failures(r Resource, minutes int) []Failure {
	all := map[failureKey]*Failure{}
	l.eachMinute(r, minutes, func(d *liveDetails) {
		for key, f := range d.failures {
			to := all[key]
			if to == nil {
				to = &Failure{Command: f.Command, Text: f.Text}
				all[key] = to
			}
			to.Count += f.Count
			if f.Last.After(to.Last) {
				to.Last = f.Last
			}
		}
	})
	list := make([]Failure, 0, len(all))
	for _, f := range all {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Command, b.Command), strings.Compare(a.Text, b.Text))
	})
	return list
}

func (l *Live) eachMinute(r Resource, minutes int, f func(*liveDetails)) {
	of := l.known(r)
	if of == nil {
		return
	}
	of.mu.Lock()
	defer of.mu.Unlock()
	now := l.now()
	for i := range min(minutes, int(time.Hour/LiveMinute)) {
		if d := of.details.get(now.Add(-time.Duration(i) * LiveMinute)); d != nil {
			f(d)
		}
	}
}

// ring holds a value for each of the last steps of time in which there was anything.
type ring[T any] struct {
	step  int64 // ns
	slots []slot[T]
}

type slot[T any] struct {
	number int64 // of the step since 1970
	value  *T
}

func newRing[T any](step time.Duration, n int) ring[T] {
	return ring[T]{step: int64(step), slots: make([]slot[T], n)}
}

// at is the value of a step, which begins if there is none; nil if a later step has its place.
func (r *ring[T]) at(t time.Time) *T {
	number := t.UnixNano() / r.step
	s := &r.slots[int(number%int64(len(r.slots)))]
	switch {
	case s.value != nil && s.number == number:
		return s.value
	case s.value != nil && s.number > number:
		return nil
	}
	*s = slot[T]{number, new(T)}
	return s.value
}

// get is the value of a step, or nil.
func (r *ring[T]) get(t time.Time) *T {
	number := t.UnixNano() / r.step
	if number < 0 {
		return nil
	}
	if s := &r.slots[int(number%int64(len(r.slots)))]; s.number == number {
		return s.value
	}
	return nil
}
