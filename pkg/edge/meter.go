package edge

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
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
	asked bool // the request wants to know what it costs
}

// Begin begins to count. The context it returns is the one whose calls of the store are counted.
func (m *Meter) Begin(ctx context.Context) (context.Context, Use) {
	if m.Recorder == nil {
		return ctx, Use{}
	}
	return m.begin(ctx)
}

func (m *Meter) begin(ctx context.Context) (context.Context, Use) {
	u := Use{began: m.Now()}
	ctx, u.units = store.Metering(ctx)
	return ctx, u
}

// CostHeader is a header field. A request that has it is answered with one that says what the request has cost.
const CostHeader = "Skystash-Cost"

// BeginRequest is Begin for a request with header fields: one that asks for its cost is counted even if nobody is told of it.
func (m *Meter) BeginRequest(ctx context.Context, r HeaderReader) (context.Context, Use) {
	if r.Get(CostHeader) == "" {
		return m.Begin(ctx)
	}
	ctx, u := m.begin(ctx)
	u.asked = true
	return ctx, u
}

// Counts reports whether there is a use for the request's record.
func (m *Meter) Counts(u Use) bool { return m.Recorder != nil || u.asked }

// SayCost sets the header field that says what a request has cost, if it has asked: calls to the
// database, read and write request units, and the dollars that it costs on AWS by the price list, with Lambda's and an HTTP API's. They do not
// include what it sets off, such as the delivery of a message. A request that is for no resource is told nothing. expose are the fields that pages of other origins may read besides.
func SayCost(w HeaderWriter, u Use, rec meter.Record, expose string) {
	if !u.asked || rec.Resource.ID == "" {
		return
	}
	units := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	w.SetHeader(CostHeader, fmt.Sprintf("calls=%d, rru=%s, wru=%s, usd=%.9f", rec.Calls, units(rec.ReadUnits), units(rec.WriteUnits), price.Record(&rec)))
	if expose != "" {
		expose += ", "
	}
	w.SetHeader("Access-Control-Expose-Headers", expose+CostHeader)
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

// Record tells the recorder of a request that is about to be answered. It returns the record, which is complete if there
// is a use for it.
func (m *Meter) Record(ctx context.Context, u Use, rec meter.Record) meter.Record {
	if !m.Counts(u) {
		return rec
	}
	rec = m.Complete(ctx, u, rec)
	if m.Recorder != nil {
		m.Recorder.Record(rec)
	}
	return rec
}
