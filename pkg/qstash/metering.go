package qstash

import (
	"context"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

type attemptsKey struct{}

// attempts counts what the attempts to deliver a message use, which one wake-up may be for several of.
type attempts struct {
	units   *store.Meter
	counted store.Usage // of units, what a record has been made of
}

func withAttempts(ctx context.Context) context.Context {
	ctx, units := store.Metering(ctx)
	return context.WithValue(ctx, attemptsKey{}, &attempts{units: units})
}

// statusNoAnswer stands for the status of a destination that has not answered.
const statusNoAnswer = 502

// meterAttempt tells the meter of an attempt whose outcome has been recorded; dead says that the message has failed
// for good.
func (e *Engine) meterAttempt(ctx context.Context, d *Delivery, m *message, resp Response, sendErr error, dead bool) {
	status := resp.Status
	if sendErr != nil {
		status = statusNoAnswer
	}
	r := meter.Record{
		Resource: meter.Resource{Product: token.ProductQStash, ID: m.acct},
		Class:    meter.ClassDeliver,
		At:       e.now(),
		Duration: m.timing.took, // nothing of our own
		Status:   status,
		Commands: 1,
		BytesIn:  int64(len(resp.Body)),
		BytesOut: int64(len(d.Body)),
		Dead:     dead,
	}
	// Otherwise a queue, a flow control key, or the start of a process for the attempt is the cause.
	if !m.attrs.Has(attrHold) && !e.started {
		r.Lag = &m.timing.lag
	}
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		total := a.units.Total()
		r.Calls = int64(total.Calls - a.counted.Calls)
		r.ReadUnits = total.ReadUnits - a.counted.ReadUnits
		r.WriteUnits = total.WriteUnits - a.counted.WriteUnits
		a.counted = total
	}
	e.meter.Record(r)
}
