package meter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

const (
	maxGaps      = 256 // that a marker remembers
	maxEdits     = 110 // of one item in a transaction: what an update expression of DynamoDB holds
	maxInstances = 40  // whose markers are in a transaction
	maxUsage     = store.MaxCommitOps - maxInstances
)

// FolderConfig is what a Folder is made of.
type FolderConfig struct {
	Store  store.Store      // the control table
	Retry  store.Retry      // of transactions that lose against other folders; its zero Now is the folder's
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Folder adds entries to the usage of resources. It is safe for concurrent use, also with folders in other processes.
type Folder struct {
	store store.Store
	retry store.Retry
	now   func() time.Time
	log   *slog.Logger
}

// NewFolder makes a Folder.
func NewFolder(cfg FolderConfig) *Folder {
	f := &Folder{store: cfg.Store, retry: cfg.Retry, now: cfg.Now, log: cfg.Logger}
	if f.now == nil {
		f.now = time.Now
	}
	f.retry = f.retry.WithClock(f.now)
	if f.log == nil {
		f.log = slog.Default()
	}
	return f
}

// Folded says what a fold has done.
type Folded struct {
	Entries    int        // that were added
	Duplicates int        // that had been added before
	Resources  []Resource // of all entries, each once
}

// Fold adds entries, each exactly once however often it is given. After an error some may
// have been added; folding all of them again is right, and necessary.
func (f *Folder) Fold(ctx context.Context, entries []Entry) (Folded, error) {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Number, b.Number))
	})
	var done Folded
	resources := map[Resource]bool{}
	for _, e := range entries {
		if r := e.Sum.Resource; !resources[r] {
			resources[r] = true
			done.Resources = append(done.Resources, r)
		}
	}
	given := len(entries)
	entries = slices.CompactFunc(entries, func(a, b Entry) bool { return a.Instance == b.Instance && a.Number == b.Number })
	done.Duplicates = given - len(entries)
	for len(entries) > 0 {
		n, added, err := f.foldSome(ctx, entries)
		if err != nil {
			return done, err
		}
		done.Entries += added
		done.Duplicates += n - added
		entries = entries[n:]
	}
	return done, nil
}

// foldSome folds the first n of entries, as many as fit into a transaction, of which some may have been added before.
func (f *Folder) foldSome(ctx context.Context, entries []Entry) (n, added int, err error) {
	attempts := f.retry.Begin()
	for {
		n, added, err = f.try(ctx, entries)
		switch {
		case err == nil:
			return n, added, nil
		case store.Contended(err), errors.Is(err, store.ErrUnknownOutcome):
			// Another folder was faster, or the outcome is unknown. The next attempt reads the
			// markers, which show what has been folded.
			err = attempts.Wait(ctx, err)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("meter: folding usage: %w", err)
		}
	}
}

// try is one attempt at a transaction.
func (f *Folder) try(ctx context.Context, entries []Entry) (n, added int, err error) {
	c := commit{markers: map[string]*marker{}, usage: map[store.Key]map[string]*classUsage{}}
	if err := c.read(ctx, f.store, entries); err != nil {
		return 0, 0, err
	}
	for n < len(entries) {
		isNew, fits := c.add(&entries[n])
		if !fits {
			break
		}
		if n++; isNew {
			added++
		}
	}
	if added == 0 {
		return n, 0, nil
	}
	if err := f.store.Commit(ctx, c.ops(f.now())); err != nil {
		return 0, 0, err
	}
	for _, m := range c.markers {
		if m.closed > 0 {
			f.log.WarnContext(ctx, "records of usage are lost", "instance", m.instance, "records", m.closed)
		}
	}
	return n, added, nil
}

// commit is a transaction in the making.
type commit struct {
	markers map[string]*marker
	usage   map[store.Key]map[string]*classUsage // by class
}

// marker is what has been folded of an instance.
type marker struct {
	instance string
	had      int64 // how many numbers were in seen when it was read
	seen     spans
	added    int64
	closed   int64 // gaps that were given up
	lost     int64 // before that
}

// Attributes of a marker.
const (
	markerSeen  = "g"
	markerCount = "n"
	markerLost  = "l"
)

// read reads the markers of the first instances.
func (c *commit) read(ctx context.Context, st store.Store, entries []Entry) error {
	var instances []string
	var keys []store.Key
	for i, e := range entries {
		if i > 0 && e.Instance == entries[i-1].Instance {
			continue
		}
		if len(instances) == maxInstances {
			break
		}
		instances = append(instances, e.Instance)
		keys = append(keys, markerKey(e.Instance))
	}
	items, err := st.GetMany(ctx, keys, false)
	if err != nil {
		return fmt.Errorf("reading markers: %w", err)
	}
	for i, attrs := range items {
		seen, ok := decodeSpans(attrs.Get(markerSeen).Str())
		if !ok {
			return fmt.Errorf("the marker of %q cannot be read", instances[i])
		}
		c.markers[instances[i]] = &marker{
			instance: instances[i],
			had:      attrs.Get(markerCount).Num(),
			seen:     seen,
			lost:     attrs.Get(markerLost).Num(),
		}
	}
	return nil
}

// add adds an entry, unless it has been added before or the transaction has no room for it.
func (c *commit) add(e *Entry) (isNew, fits bool) {
	m := c.markers[e.Instance]
	if m == nil {
		return false, false
	}
	if m.seen.contains(e.Number) {
		return false, true
	}
	hour, day := hourKey(e.Sum.Resource, e.Sum.Hour), dayKey(e.Sum.Resource, e.Sum.Hour)
	if !c.hasRoom(hour, &e.Sum) || !c.hasRoom(day, &e.Sum) || len(c.usage) > maxUsage-2 {
		return false, false
	}
	for _, key := range []store.Key{hour, day} {
		classes := c.usage[key]
		if classes == nil {
			classes = map[string]*classUsage{}
			c.usage[key] = classes
		}
		u := classes[e.Sum.Class]
		if u == nil {
			u = &classUsage{}
			classes[e.Sum.Class] = u
		}
		u.add(&e.Sum)
	}
	m.seen = m.seen.add(e.Number)
	m.added++
	return true, true
}

// hasRoom reports whether an item can take a sum. The first sum of an item always fits.
func (c *commit) hasRoom(key store.Key, s *Sum) bool {
	classes := c.usage[key]
	if len(classes) == 0 {
		return true
	}
	edits := 0
	for _, u := range classes {
		edits += u.edits
	}
	u := classes[s.Class]
	if u == nil {
		u = &classUsage{}
	}
	return edits+u.missing(s) <= maxEdits
}

// ops are the transaction's operations.
func (c *commit) ops(now time.Time) []store.Op {
	var ops []store.Op
	for _, m := range c.markers {
		if m.added == 0 {
			continue
		}
		ops = append(ops, m.op(now))
	}
	for key, classes := range c.usage {
		kept, layout := hoursKept, hourLayout
		if len(key.Sort) == len(dayLayout) {
			kept, layout = daysKept, dayLayout
		}
		start, _ := time.Parse(layout, key.Sort) // it was made by this layout
		edits := []store.Edit{store.Set(store.TTLAttr, store.Int(start.Add(kept).Unix()))}
		for class, u := range classes {
			edits = u.appendEdits(edits, class)
		}
		ops = append(ops, store.Update(key, nil, edits...))
	}
	return ops
}

// op writes the marker on the condition that nobody has changed it since it was read. The condition
// compares the count of folded numbers, which grows with every change.
func (m *marker) op(now time.Time) store.Op {
	m.seen, m.closed = m.seen.limit(maxGaps)
	attrs := store.NewAttrs(
		store.Attr{Name: markerSeen, Value: store.Bytes(m.seen.encode())},
		store.Attr{Name: markerCount, Value: store.Int(m.had + m.added + m.closed)},
		store.Attr{Name: store.TTLAttr, Value: store.Int(now.Add(markerKept).Unix())},
	)
	if lost := m.lost + m.closed; lost > 0 {
		attrs = attrs.With(markerLost, store.Int(lost))
	}
	cond := store.Cond(store.Absent(markerCount))
	if m.had > 0 {
		cond = store.Eq(markerCount, store.Int(m.had))
	}
	return store.Put(markerKey(m.instance), attrs, cond)
}
