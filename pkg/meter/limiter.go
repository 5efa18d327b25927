package meter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// LimiterConfig is what a Limiter is made of.
type LimiterConfig struct {
	Store store.Store // the control table

	// Limits are a resource's; of one that does not exist (any more), none.
	Limits func(ctx context.Context, r Resource) (Limits, error)

	// Block tells a product's engine that requests are to be refused; by product. A product that is
	// missing here only has warnings.
	Block map[string]func(ctx context.Context, id string, b Block) error

	// Cost is what a month's usage has cost so far, in dollars, as package price estimates it.
	Cost func(product string, month Usage, s Storage, now time.Time) float64

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Limiter sees to it that resources keep to their limits, give or take what is used while usage is on its
// way: a second locally, on AWS a minute or two, and what instances hold that are frozen. It is safe for concurrent use.
type Limiter struct {
	cfg  LimiterConfig
	book *Book
}

// NewLimiter makes a Limiter.
func NewLimiter(cfg LimiterConfig) *Limiter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Limiter{cfg, NewBook(cfg.Store)}
}

// Check compares the usage of resources with their limits, and blocks or unblocks them. It is to be called
// after their usage has changed. A resource that is blocked is checked again as soon as one more of its requests has been refused,
// so that limits that were raised take effect by themselves.
func (l *Limiter) Check(ctx context.Context, resources ...Resource) error {
	var errs []error
	for _, r := range resources {
		if err := l.check(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("meter: checking the limits of %s: %w", r, err))
		}
	}
	return errors.Join(errs...)
}

func (l *Limiter) check(ctx context.Context, r Resource) error {
	limits, err := l.cfg.Limits(ctx, r)
	if err != nil {
		return err
	}
	had, err := l.book.Status(ctx, r)
	if err != nil {
		return err
	}
	if limits == (Limits{}) && had.Level == LevelOK {
		return nil
	}
	now := l.cfg.Now().UTC()
	status := Status{}
	if limits.DailyRequests > 0 {
		day, err := l.book.Day(ctx, r, now)
		if err != nil {
			return err
		}
		status = compare(LimitRequests, float64(day.Counters.Commands), float64(limits.DailyRequests), dayEnd(now))
	}
	if limits.MonthlyBudget > 0 && l.cfg.Cost != nil {
		month, err := l.book.Month(ctx, r, now)
		if err != nil {
			return err
		}
		stored, err := l.book.Storage(ctx, r)
		if err != nil {
			return err
		}
		cost := l.cfg.Cost(r.Product, month, stored, now)
		if s := compare(LimitBudget, cost, limits.MonthlyBudget, monthOf(now).AddDate(0, 1, 0)); worse(s, status) {
			status = s
		}
	}
	status.Text = text(r.Product, status)
	if status.Level == had.Level && status.Limit == had.Limit && status.Of == had.Of && status.Until.Equal(had.Until) {
		return nil
	}
	status.Since = now
	return l.change(ctx, r, had, status)
}

func dayEnd(now time.Time) time.Time { return now.Truncate(24 * time.Hour).Add(24 * time.Hour) }

// compare is how usage compares with one limit.
func compare(limit string, used, of float64, until time.Time) Status {
	s := Status{Limit: limit, Used: used, Of: of, Until: until}
	switch {
	case used >= of:
		s.Level = LevelBlocked
	case used >= WarnAt*of:
		s.Level = LevelWarning
	default:
		return Status{}
	}
	return s
}

var severity = map[Level]int{LevelOK: 0, LevelWarning: 1, LevelBlocked: 2}

// worse reports whether a says more than b: for as long, if it is the same.
func worse(a, b Status) bool {
	if a.Level != b.Level {
		return severity[a.Level] > severity[b.Level]
	}
	return a.Level != LevelOK && a.Until.After(b.Until)
}

// text is what clients, or people, are told. Clients know those of Redis that begin with ERR from Upstash
// (upstash.com/docs/redis/troubleshooting/max_daily_request_limit, .../max_requests_limit).
func text(product string, s Status) string {
	if s.Level == LevelOK {
		return ""
	}
	numbers := fmt.Sprintf("Limit: %.0f, Usage: %.0f", s.Of, s.Used)
	what := "daily request limit"
	if s.Limit == LimitBudget {
		numbers = fmt.Sprintf("Monthly budget: $%.2f, Usage: $%.2f", s.Of, s.Used)
		what = "requests limit"
	}
	if s.Level == LevelWarning {
		return fmt.Sprintf("%.0f%% of the %s is used. %s", 100*s.Used/s.Of, strings.ReplaceAll(s.Limit, "_", " "), numbers)
	}
	if product == "redis" {
		return "ERR max " + what + " exceeded. " + numbers
	}
	return "max " + what + " exceeded. " + numbers
}

// change makes the product do what a new status asks for, then notes it.
func (l *Limiter) change(ctx context.Context, r Resource, had, status Status) error {
	if block := l.cfg.Block[r.Product]; block != nil {
		b := Block{}
		if status.Level == LevelBlocked {
			b = Block{Text: status.Text, Until: status.Until}
			if status.Limit == LimitRequests {
				b.Limit = int64(status.Of)
			}
		}
		if b.Text != "" || had.Level == LevelBlocked {
			if err := block(ctx, r.ID, b); err != nil {
				return err
			}
		}
	}
	if err := l.note(ctx, r, status); err != nil {
		return err
	}
	switch {
	case status.Level != LevelOK:
		l.cfg.Logger.WarnContext(ctx, "a resource is near its limit or over it", "product", r.Product, "resource", r.ID,
			"level", string(status.Level), "limit", status.Limit, "used", status.Used, "of", status.Of)
	case had.Level == LevelBlocked:
		l.cfg.Logger.InfoContext(ctx, "a resource is within its limits again", "product", r.Product, "resource", r.ID)
	}
	return nil
}

func (l *Limiter) note(ctx context.Context, r Resource, status Status) error {
	op := store.Delete(statusKey(r), nil)
	if status.Level != LevelOK {
		j, err := json.Marshal(status)
		if err != nil {
			return err
		}
		op = store.Put(statusKey(r), store.NewAttrs(
			store.Attr{Name: attrJSON, Value: store.Bytes(string(j))},
			store.Attr{Name: store.TTLAttr, Value: store.Int(status.Until.Add(hoursKept).Unix())},
		), nil)
	}
	_, err := l.cfg.Store.Apply(ctx, op)
	return err
}
