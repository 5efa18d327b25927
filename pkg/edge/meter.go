package edge

import (
	"context"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
)

// Meter counts what requests use. A nil Recorder is told nothing, and nothing is counted.
type Meter struct {
	Recorder meter.Recorder
	Gateway  func(context.Context) bool // reports whether a request came through an HTTP API; nil: none does
	Now      func() time.Time
}

// Use is what a request has used so far.
type Use struct {
	began time.Time
	units *store.Meter
}

// Begin begins to count. The context it returns is the one whose calls of the store are counted.
func (m *Meter) Begin(ctx context.Context) (context.Context, Use) {
	if m.Recorder == nil {
		return ctx, Use{}
	}
	u := Use{began: m.Now()}
	ctx, u.units = store.Metering(ctx)
	return ctx, u
}

// Complete fills in what the edge knows of a request: time, duration, gateway, and what it has
// used of the store until now. The product has set all else.
func (m *Meter) Complete(ctx context.Context, u Use, rec meter.Record) meter.Record {
	now, units := m.Now(), u.units.Total()
	rec.At, rec.Duration = now, now.Sub(u.began)
	rec.Gateway = m.Gateway != nil && m.Gateway(ctx)
	rec.Calls, rec.ReadUnits, rec.WriteUnits = int64(units.Calls), units.ReadUnits, units.WriteUnits
	return rec
}

// Record tells the recorder of a request that is about to be answered.
func (m *Meter) Record(ctx context.Context, u Use, rec meter.Record) {
	if m.Recorder != nil {
		m.Recorder.Record(m.Complete(ctx, u, rec))
	}
}
