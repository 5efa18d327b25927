package meter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// limited is a resource with limits, a clock, and a product that may fail.
type limited struct {
	t       *testing.T
	limiter *meter.Limiter
	folder  *meter.Folder
	book    *meter.Book
	store   *faulty.Store
	limits  meter.Limits
	now     time.Time
	block   meter.Block
	blocks  int
	fail    error
	number  int64
}

func newLimited(t *testing.T, limits meter.Limits) *limited {
	l := &limited{t: t, limits: limits, now: noon, store: faulty.New(openStore(t), faulty.Plan{})}
	now := func() time.Time { return l.now }
	l.folder = meter.NewFolder(meter.FolderConfig{Store: l.store, Now: now})
	l.book = meter.NewBook(l.store)
	l.limiter = meter.NewLimiter(meter.LimiterConfig{
		Store: l.store, Now: now, Logger: quiet,
		Limits: func(context.Context, meter.Resource) (meter.Limits, error) { return l.limits, nil },
		Block: map[string]func(context.Context, string, meter.Block) error{"redis": func(_ context.Context, id string, b meter.Block) error {
			if id != db1.ID {
				t.Errorf("%s is blocked", id)
			}
			if l.fail != nil {
				return l.fail
			}
			l.block, l.blocks = b, l.blocks+1
			return nil
		}},
		Cost: func(_ string, month meter.Usage, s meter.Storage, _ time.Time) float64 {
			return month.Counters.WriteUnits / 10
		},
	})
	return l
}

// use folds a request of so many commands, each of a write unit, and checks.
func (l *limited) use(commands int64) error {
	l.t.Helper()
	r := meter.Record{Resource: db1, Class: meter.ClassWrite, At: l.now, Status: 200, Commands: commands, WriteUnits: float64(commands)}
	if commands == 0 {
		r.Blocked = true
	}
	if _, err := l.folder.Fold(l.t.Context(), []meter.Entry{{Instance: "i", Number: l.number, Sum: r.Sum()}}); err != nil {
		l.t.Fatal(err)
	}
	l.number++
	return l.limiter.Check(l.t.Context(), db1)
}

func (l *limited) mustUse(commands int64) {
	l.t.Helper()
	if err := l.use(commands); err != nil {
		l.t.Fatal(err)
	}
}

func (l *limited) expect(level meter.Level, limit, text string, blocks int) {
	l.t.Helper()
	s, err := l.book.Status(l.t.Context(), db1)
	if err != nil {
		l.t.Fatal(err)
	}
	if s.Level != level || s.Limit != limit || !strings.Contains(s.Text, text) {
		l.t.Errorf("status %+v, want %q because of %q: %q", s, level, limit, text)
	}
	if blocks != l.blocks {
		l.t.Errorf("the product was told %d times, want %d", l.blocks, blocks)
	}
	if holds := l.block.Holds(l.now); holds != (level == meter.LevelBlocked) {
		l.t.Errorf("blocked: %v, %+v", holds, l.block)
	}
}

func TestADaysRequestsAreLimited(t *testing.T) {
	l := newLimited(t, meter.Limits{DailyRequests: 100})
	l.mustUse(79)
	l.expect(meter.LevelOK, "", "", 0)
	l.mustUse(1)
	l.expect(meter.LevelWarning, meter.LimitRequests, "80% of the daily requests is used. Limit: 100, Usage: 80", 0)
	l.mustUse(19)
	l.expect(meter.LevelWarning, meter.LimitRequests, "", 0)
	l.mustUse(3)
	const text = "ERR max daily request limit exceeded. Limit: 100, Usage: 102"
	l.expect(meter.LevelBlocked, meter.LimitRequests, text, 1)
	if l.block.Text != text || l.block.Limit != 100 || !l.block.Until.Equal(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", l.block)
	}
	l.mustUse(0) // refused
	l.expect(meter.LevelBlocked, meter.LimitRequests, text, 1)

	// The limit is raised: the next refusal finds out.
	l.limits.DailyRequests = 1000
	l.mustUse(0)
	l.expect(meter.LevelOK, "", "", 2)
	l.limits.DailyRequests = 10
	l.mustUse(1)
	l.expect(meter.LevelBlocked, meter.LimitRequests, "Limit: 10, Usage: 103", 3)

	// The block ends with the day, and the next day begins at nothing.
	l.now = l.now.Add(12 * time.Hour)
	if l.block.Holds(l.now) {
		t.Error("still blocked on the next day")
	}
	l.mustUse(1)
	l.expect(meter.LevelOK, "", "", 4)
}

func TestAMonthsBudgetIsLimited(t *testing.T) {
	l := newLimited(t, meter.Limits{MonthlyBudget: 10, DailyRequests: 1000})
	l.mustUse(85)
	l.expect(meter.LevelWarning, meter.LimitBudget, "85% of the monthly budget is used. Monthly budget: $10.00, Usage: $8.50", 0)
	l.mustUse(20)
	l.expect(meter.LevelBlocked, meter.LimitBudget, "ERR max requests limit exceeded. Monthly budget: $10.00, Usage: $10.50", 1)
	if l.block.Limit != 0 || !l.block.Until.Equal(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", l.block)
	}
	l.limits = meter.Limits{}
	l.mustUse(0)
	l.expect(meter.LevelOK, "", "", 2)
}

func TestALimitIsAppliedAgainAfterAFailure(t *testing.T) {
	l := newLimited(t, meter.Limits{DailyRequests: 10})
	l.fail = errors.New("no")
	if err := l.use(10); !errors.Is(err, l.fail) {
		t.Errorf("the product's failure is lost: %v", err)
	}
	l.expect(meter.LevelOK, "", "", 0)
	l.fail = nil
	l.mustUse(1)
	l.expect(meter.LevelBlocked, meter.LimitRequests, "", 1)

	l.limits.DailyRequests = 100
	l.store.SetPlan(faulty.Plan{LostUnapplied: 1})
	if err := l.limiter.Check(t.Context(), db1); err == nil {
		t.Error("a status that was not written is no error")
	}
	l.store.SetPlan(faulty.Plan{})
	l.mustUse(1)
	l.expect(meter.LevelOK, "", "", 3)
}

func TestResourcesWithoutLimitsCostOneRead(t *testing.T) {
	l := newLimited(t, meter.Limits{})
	before := l.store.Counts().Calls
	if err := l.limiter.Check(t.Context(), db1); err != nil {
		t.Fatal(err)
	}
	if n := l.store.Counts().Calls - before; n != 1 {
		t.Errorf("%d calls", n)
	}
}
