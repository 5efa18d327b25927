package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// used is what a request has used so far.
type used struct {
	began   time.Time
	units   *store.Meter
	read    counting // the request's body
	sent    *answer
	blocked bool // refused because of a limit
}

// answer is a ResponseWriter that notes status and size.
type answer struct {
	http.ResponseWriter
	status int
	size   int64
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.size += int64(n)
	return n, err
}

// counting is a body that counts what is read of it.
type counting struct {
	readCloser
	n int64
}

type readCloser interface {
	Read(p []byte) (int, error)
	Close() error
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.readCloser.Read(p)
	c.n += int64(n)
	return n, err
}

func (h *Handler) newCall(w http.ResponseWriter, r *http.Request) *call {
	c := &call{h: h, w: w, r: r}
	if h.meter == nil {
		return c
	}
	ctx, units := store.Metering(r.Context())
	c.r = r.WithContext(ctx)
	c.used = used{began: h.now(), units: units, sent: &answer{ResponseWriter: w}}
	c.w = c.used.sent
	if r.Body != nil {
		c.used.read.readCloser = r.Body
		c.r.Body = &c.used.read
	}
	return c
}

// record tells the meter of a request that has been answered.
func (c *call) record() {
	if c.h.meter == nil || c.acct == "" {
		return
	}
	now, units := c.h.now(), c.used.units.Total()
	class := meter.ClassAPI
	if c.publishes() {
		class = meter.ClassPublish
	}
	c.h.meter.Record(meter.Record{
		Resource:   meter.Resource{Product: token.ProductQStash, ID: c.acct},
		Class:      class,
		At:         now,
		Duration:   now.Sub(c.used.began),
		Status:     c.used.sent.status,
		Blocked:    c.used.blocked,
		Gateway:    c.h.gateway(c.r.Context()),
		BytesIn:    int64(len(c.path)+len(c.query)) + c.used.read.n,
		BytesOut:   c.used.sent.size,
		Calls:      int64(units.Calls),
		ReadUnits:  units.ReadUnits,
		WriteUnits: units.WriteUnits,
	})
}

// publishes reports whether the request is one for new messages.
func (c *call) publishes() bool {
	name, _, _ := strings.Cut(c.path, "/")
	switch strings.ToLower(name) {
	case "publish", "enqueue", "batch", "trigger":
		return c.changes()
	}
	return false
}

// creates reports whether new messages come of the request, now or later.
func (c *call) creates() bool {
	name, rest, _ := strings.Cut(c.path, "/")
	switch strings.ToLower(name) {
	case "schedules":
		return c.changes() && !isPause(rest)
	case "notify", "wait":
		return c.changes()
	}
	return c.publishes()
}

// tooMany refuses a request because a limit has been reached, in the way that clients know of a day's limit.
func (c *call) tooMany(b meter.Block) error {
	c.used.blocked = true
	header := c.w.Header()
	header.Set("RateLimit-Limit", strconv.FormatInt(b.Limit, 10))
	header.Set("RateLimit-Remaining", "0")
	header.Set("RateLimit-Reset", strconv.FormatInt(b.Until.Unix(), 10))
	return &refusal{http.StatusTooManyRequests, b.Text}
}
