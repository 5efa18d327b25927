package rest

import (
	"context"
	"io"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// used is what a request has used so far.
type used struct {
	began    time.Time
	units    *store.Meter
	db       *redis.Database // nil: the request is for none
	class    string
	commands int64
	blocked  bool // refused because of a limit
}

// begin makes a context whose calls are counted.
func (u *used) begin(ctx context.Context, now time.Time) context.Context {
	u.began = now
	ctx, u.units = store.Metering(ctx)
	return ctx
}

// rank orders classes: several commands together are of the highest.
var rank = map[string]int{meter.ClassRead: 1, meter.ClassPubSub: 2, meter.ClassWrite: 3, meter.ClassScript: 4}

// count notes commands that are about to run.
func (c *call) count(cmds ...[]string) {
	if c.h.meter == nil {
		return
	}
	u := &c.x.used
	u.commands += int64(len(cmds))
	for _, args := range cmds {
		if class := c.h.class(args); u.class == "" || class != u.class && rank[class] > rank[u.class] {
			u.class = class
		}
	}
}

// record tells the meter of a request that is about to be answered; of a stream, when it has ended.
func (h *Handler) record(ctx context.Context, r *Request, x *exchange) {
	now := h.now()
	units := x.used.units.Total()
	rec := meter.Record{
		Resource:   meter.Resource{Product: token.ProductRedis, ID: x.used.db.ID},
		Class:      x.used.class,
		At:         now,
		Duration:   now.Sub(x.used.began),
		Status:     x.status,
		Blocked:    x.used.blocked,
		Gateway:    h.gateway(ctx),
		Commands:   x.used.commands,
		BytesIn:    int64(len(r.Path) + len(r.Query) + x.body.Len()),
		BytesOut:   int64(len(x.out)),
		Calls:      int64(units.Calls),
		ReadUnits:  units.ReadUnits,
		WriteUnits: units.WriteUnits,
	}
	if rec.Class == "" {
		rec.Class = meter.ClassOther
	}
	if x.events == nil {
		h.meter.Record(rec)
		return
	}
	x.events.ended = h.recordLater(rec)
}

// recordLater is for a stream. Its polls are not counted: an instance makes them for all of its streams.
func (h *Handler) recordLater(rec meter.Record) func(sent int64) {
	return func(sent int64) {
		rec.At, rec.BytesOut = h.now(), sent
		h.meter.Record(rec)
	}
}

// countingWriter counts what is written.
type countingWriter struct {
	io.Writer
	n int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n += int64(n)
	return n, err
}
