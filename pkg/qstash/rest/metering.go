package rest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

// used is what a request has used so far.
type used struct {
	edge.Use
	read    int64 // bytes of the request's body
	blocked bool  // refused because of a limit
}

func (h *Handler) newExchange(r *http.Request) *exchange {
	x := &exchange{h: h, method: r.Method}
	if x.method == http.MethodHead {
		x.method = http.MethodGet
	}
	ctx, use := h.meter.BeginRequest(r.Context(), r.Header)
	x.used.Use = use
	x.r = r.WithContext(ctx)
	return x
}

// record tells the meter of a request that is about to be answered, and returns its record.
func (x *exchange) record() (rec meter.Record) {
	if x.acct == "" {
		return rec
	}
	class := meter.ClassAPI
	if x.publishes() {
		class = meter.ClassPublish
	}
	return x.h.meter.Record(x.r.Context(), x.used.Use, meter.Record{
		Resource: meter.Resource{Product: token.ProductQStash, ID: x.acct},
		Class:    class,
		Status:   x.status,
		Blocked:  x.used.blocked,
		BytesIn:  int64(len(x.path)+len(x.query)) + x.used.read,
		BytesOut: int64(len(x.out)),
	})
}

// publishes reports whether the request is one for new messages.
func (x *exchange) publishes() bool {
	name, _, _ := strings.Cut(x.path, "/")
	switch strings.ToLower(name) {
	case "publish", "enqueue", "batch", "trigger":
		return x.changes()
	}
	return false
}

// creates reports whether new messages come of the request, now or later. The messages of workflow runs that go on are not
// new: a limit refuses runs that are to begin, and ends none. A batch has to be read first, see batch.
func (x *exchange) creates() bool {
	name, rest, _ := strings.Cut(x.path, "/")
	switch strings.ToLower(name) {
	case "schedules":
		return x.changes() && !isAction(rest, "pause", "resume")
	case "batch":
		return false
	}
	h := x.header()
	return x.publishes() && (!continuesRun(h) || h.Get(cronHeader) != "")
}

// tooMany refuses a request because a limit has been reached, in the way that clients know of a day's limit.
func (x *exchange) tooMany() error {
	b := x.block
	x.used.blocked = true
	return &edge.Error{Status: http.StatusTooManyRequests, Text: b.Text, Header: map[string]string{
		"RateLimit-Limit":     strconv.FormatInt(b.Limit, 10),
		"RateLimit-Remaining": "0",
		"RateLimit-Reset":     strconv.FormatInt(b.Until.Unix(), 10),
	}}
}
