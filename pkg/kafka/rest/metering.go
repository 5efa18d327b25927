package rest

import (
	"net/http"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

// used is what a request has used so far.
type used struct {
	edge.Use
	endpoint string
	messages int  // produced or read
	blocked  bool // refused because of a limit
}

func (h *Handler) newExchange(r *http.Request) *exchange {
	x := &exchange{h: h, r: r}
	x.ctx, x.used.Use = h.meter.BeginRequest(r.Context(), r.Header)
	return x
}

// classes are those of endpoints; all others are of meter.ClassAdmin.
var classes = map[string]string{
	"produce": meter.ClassProduce, "webhook": meter.ClassProduce, "fetch": meter.ClassFetch, "consume": meter.ClassConsume,
}

// record tells the meter of a request that is about to be answered, and returns its record.
func (x *exchange) record(status, answer int) (rec meter.Record) {
	if x.cluster == nil {
		return rec
	}
	class := classes[x.used.endpoint]
	if class == "" {
		class = meter.ClassAdmin
	}
	return x.h.meter.Record(x.ctx, x.used.Use, meter.Record{
		Resource: meter.Resource{Product: token.ProductKafka, ID: x.cluster.ID},
		Class:    class,
		Status:   status,
		Blocked:  x.used.blocked,
		Commands: int64(x.used.messages),
		BytesIn:  int64(len(x.r.URL.Path) + len(x.r.URL.RawQuery) + len(x.body)),
		BytesOut: int64(answer),
	})
}
