package rest

import (
	"net/http"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// used is what a request has used so far.
type used struct {
	began    time.Time
	units    *store.Meter
	endpoint string
	messages int  // produced or read
	blocked  bool // refused because of a limit
}

func (h *Handler) newCall(r *http.Request) *call {
	c := &call{h: h, ctx: r.Context(), r: r}
	if h.meter != nil {
		c.used.began = h.now()
		c.ctx, c.used.units = store.Metering(c.ctx)
	}
	return c
}

// classes are those of endpoints; all others are of meter.ClassAdmin.
var classes = map[string]string{
	"produce": meter.ClassProduce, "webhook": meter.ClassProduce, "fetch": meter.ClassFetch, "consume": meter.ClassConsume,
}

// record tells the meter of a request that is about to be answered.
func (c *call) record(status, answer int) {
	if c.h.meter == nil || c.cluster == nil {
		return
	}
	now, units := c.h.now(), c.used.units.Total()
	class := classes[c.used.endpoint]
	if class == "" {
		class = meter.ClassAdmin
	}
	c.h.meter.Record(meter.Record{
		Resource:   meter.Resource{Product: token.ProductKafka, ID: c.cluster.ID},
		Class:      class,
		At:         now,
		Duration:   now.Sub(c.used.began),
		Status:     status,
		Blocked:    c.used.blocked,
		Gateway:    c.h.gateway(c.ctx),
		Commands:   int64(c.used.messages),
		BytesIn:    int64(len(c.r.URL.Path) + len(c.r.URL.RawQuery) + len(c.body)),
		BytesOut:   int64(answer),
		Calls:      int64(units.Calls),
		ReadUnits:  units.ReadUnits,
		WriteUnits: units.WriteUnits,
	})
}
