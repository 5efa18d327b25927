package meter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// itemOverhead is what DynamoDB bills for an item besides its content, in bytes.
const itemOverhead = 100

// AddPartition adds the items of a partition. For each it calls also, which may be nil and add more.
func (s *Storage) AddPartition(ctx context.Context, st store.Store, partition string, also func(store.Item) error) error {
	for q := (store.Query{Partition: partition}); ; {
		page, err := st.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, it := range page.Items {
			s.Items++
			s.Bytes += int64(it.Size() + itemOverhead)
			if also != nil {
				if err := also(it); err != nil {
					return err
				}
			}
		}
		if !page.More {
			return nil
		}
		q = q.Next(page)
	}
}

// When storage is measured anew.
const (
	measureAtMost  = time.Hour          // not more often than that
	measureAtLeast = 7 * 24 * time.Hour // of what is used; expiry makes storage shrink without a write
	measureChange  = 0.25               // when so much of it may have changed
	unitBytes      = 1024               // that a write unit may have added
)

// SizerConfig is what a Sizer is made of.
type SizerConfig struct {
	Store store.Store // the control table
	// Measure adds up what a resource stores; by product. Engines have it as a method.
	Measure map[string]func(ctx context.Context, id string) (Storage, error)
	// Every is for a store whose reads cost nothing: what was written to is measured that often, and what was not
	// once an hour, since it may have expired; but no more than a hundredth of the time is spent on it. 0: see Sizer.
	Every  time.Duration
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Sizer keeps account of how much resources store. The store cannot tell, so it reads all of it, but only
// when writes since the last time may have changed it by a quarter, or after a week, and at most once an hour: a GB takes 0.26
// million read units, about 3 cents. It is safe for concurrent use.
type Sizer struct {
	cfg  SizerConfig
	book *Book

	mu   sync.Mutex
	took map[Resource]time.Duration // the last measurement
}

// NewSizer makes a Sizer.
func NewSizer(cfg SizerConfig) *Sizer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Sizer{cfg: cfg, book: NewBook(cfg.Store), took: map[Resource]time.Duration{}}
}

// Check measures those of the resources for which it is time.
func (z *Sizer) Check(ctx context.Context, resources ...Resource) error {
	var errs []error
	for _, r := range resources {
		if err := z.check(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("meter: measuring %s: %w", r, err))
		}
	}
	return errors.Join(errs...)
}

func (z *Sizer) check(ctx context.Context, r Resource) error {
	if z.cfg.Measure[r.Product] == nil {
		return nil
	}
	had, err := z.book.Storage(ctx, r)
	if err != nil {
		return err
	}
	now := z.cfg.Now().UTC()
	if now.Sub(had.At) < z.least(r) {
		return nil
	}
	written, today, err := z.written(ctx, r, had, now)
	if err != nil || !z.due(had, written, now) {
		return err
	}
	return z.measure(ctx, r, had, today)
}

// Measure measures a resource now, whatever it has written. It reads all of it.
func (z *Sizer) Measure(ctx context.Context, r Resource) error {
	if z.cfg.Measure[r.Product] == nil {
		return nil
	}
	had, err := z.book.Storage(ctx, r)
	if err != nil {
		return err
	}
	_, today, err := z.written(ctx, r, had, z.cfg.Now().UTC())
	if err != nil {
		return err
	}
	return z.measure(ctx, r, had, today)
}

// least is how old the last measurement of a resource must be.
func (z *Sizer) least(r Resource) time.Duration {
	if z.cfg.Every == 0 {
		return measureAtMost
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	return max(z.cfg.Every, 100*z.took[r])
}

// due reports whether enough was written, or time has passed, for a measurement.
func (z *Sizer) due(had Storage, written float64, now time.Time) bool {
	age := now.Sub(had.At)
	switch {
	case had.Bytes == 0:
		return written > 0
	case z.cfg.Every > 0:
		return written > 0 || age >= measureAtMost
	}
	return written*unitBytes >= measureChange*float64(had.Bytes) || age >= measureAtLeast
}

// measure measures a resource, whose write units of today are known.
func (z *Sizer) measure(ctx context.Context, r Resource, had Storage, today float64) error {
	began := z.cfg.Now()
	s, err := z.cfg.Measure[r.Product](ctx, r.ID)
	if err != nil {
		return err
	}
	z.mu.Lock()
	z.took[r] = z.cfg.Now().Sub(began)
	z.mu.Unlock()
	s.since(had)
	j, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = z.cfg.Store.Apply(ctx, store.Put(storageKey(r), store.NewAttrs(
		store.Attr{Name: attrJSON, Value: store.Bytes(string(j))},
		store.Attr{Name: attrSpent, Value: store.Int(thousandths(today))},
	), nil))
	return err
}

// written is how many write units a resource has taken since it was measured, and how many of today.
func (z *Sizer) written(ctx context.Context, r Resource, had Storage, now time.Time) (since, today float64, err error) {
	from := had.At.UTC().Truncate(24 * time.Hour)
	if kept := now.Add(-daysKept); from.Before(kept) {
		from, had.Spent = kept, 0
	}
	days, err := z.book.Days(ctx, r, from, now.Add(24*time.Hour))
	if err != nil {
		return 0, 0, err
	}
	for _, d := range days {
		since += d.Counters.WriteUnits
		if !d.Start.Before(now.Truncate(24 * time.Hour)) {
			today += d.Counters.WriteUnits
		}
	}
	return since - had.Spent, today, nil
}
