package rest

import (
	"context"
	"io"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/token"
)

// used is what a request has used so far.
type used struct {
	edge.Use
	db       *redis.Database // nil: the request is for none
	class    string
	commands int64
	ran      []meter.Ran  // the commands, as far as they were answered
	blocked  bool         // refused because of a limit
	rec      meter.Record // when it is about to be answered; of a stream, none
}

// rank orders classes: several commands together are of the highest.
var rank = map[string]int{meter.ClassRead: 1, meter.ClassPubSub: 2, meter.ClassWrite: 3, meter.ClassScript: 4}

// count notes commands that are about to run.
func (x *exchange) count(cmds ...[]string) {
	if x.h.meter.Recorder == nil {
		return
	}
	u := &x.s.used
	u.commands += int64(len(cmds))
	for _, args := range cmds {
		if class := x.h.class(args); u.class == "" || class != u.class && rank[class] > rank[u.class] {
			u.class = class
		}
	}
}

// record tells the meter of a request that is about to be answered; of a stream, when it has ended.
func (h *Handler) record(ctx context.Context, r *Request, s *scratch) {
	rec := h.meter.Complete(ctx, s.used.Use, meter.Record{
		Resource: meter.Resource{Product: token.ProductRedis, ID: s.used.db.ID},
		Class:    s.used.class,
		Status:   s.status,
		Blocked:  s.used.blocked,
		Commands: s.used.commands,
		BytesIn:  int64(len(r.Path) + len(r.Query) + s.body.Len()),
		BytesOut: int64(len(s.out)),
	})
	rec.Count(s.used.ran)
	if rec.Class == "" {
		rec.Class = meter.ClassOther
	}
	if s.events == nil {
		s.used.rec = rec
	}
	switch {
	case h.meter.Recorder == nil:
	case s.events == nil:
		h.meter.Recorder.Record(rec)
	default:
		s.events.ended = h.recordLater(rec)
	}
}

// ran notes what a command came to.
func (x *exchange) ran(args []string, reply []byte) {
	if x.h.meter.Recorder != nil && x.h.outcome != nil {
		x.s.used.ran = append(x.s.used.ran, x.h.outcome(args, reply))
	}
}

// recordLater is for a stream. Its polls are not counted: an instance makes them for all of its streams.
func (h *Handler) recordLater(rec meter.Record) func(sent int64) {
	return func(sent int64) {
		rec.At, rec.BytesOut = h.now(), sent
		h.meter.Recorder.Record(rec)
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
