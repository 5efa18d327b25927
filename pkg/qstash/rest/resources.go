package rest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

const (
	maxCancel = 500  // messages of one bulk call
	maxDLQ    = 100  // dead letters of one call
	maxLogs   = 1000 // events of one page
	maxGroups = 10   // messages of one page of grouped events
)

func (c *call) messages() error {
	ctx, e := c.r.Context(), c.h.engine
	switch {
	case c.is("messages", "*") && c.r.Method == http.MethodGet:
		m, err := e.Message(ctx, c.acct, c.seg[1])
		if err != nil {
			return err
		}
		return c.ok(m)
	case c.is("messages", "*") && c.r.Method == http.MethodDelete:
		if err := e.Cancel(ctx, c.acct, c.seg[1]); err != nil {
			return err
		}
		if c.version1 {
			return c.answer(http.StatusAccepted, map[string]string{"status": "accepted"})
		}
		return c.ok(map[string]int{"cancelled": 1})
	case c.is("messages") && c.r.Method == http.MethodDelete && !c.version1:
		s, err := c.selects(messageFilters, maxCancel)
		if err != nil {
			return err
		}
		n, err := c.cancelAll(s)
		if err != nil {
			return err
		}
		return c.ok(map[string]int{"cancelled": n})
	}
	return c.unserved("messages")
}

// cancelAll cancels what is selected. Without count, and without anything selected, that is everything.
func (c *call) cancelAll(s selection) (int, error) {
	total := 0
	for {
		n, err := c.h.engine.CancelMany(c.r.Context(), c.acct, s.filter, s.count)
		total += n
		if err != nil || s.counted || n < s.count || len(s.filter.MessageIDs) > 0 {
			return total, err
		}
	}
}

// unserved tells a wrong method from a path that does not exist.
func (c *call) unserved(name string) error {
	if c.is(name) || c.is(name, "*") {
		return errMethod
	}
	return errNotFound
}

func (c *call) logs() error {
	if len(c.seg) != 1 || c.r.Method != http.MethodGet {
		return c.unserved(c.seg[0])
	}
	s, err := c.selects(logFilters, maxLogs)
	if err != nil {
		return err
	}
	q := qstash.LogQuery{Filter: s.filter, Cursor: s.cursor, Count: s.count, Earliest: s.latest != nil && !*s.latest, TrimBody: s.trim}
	name := strings.ToLower(c.seg[0])
	answer := map[string]any{}
	var next string
	switch {
	case s.groupBy == "":
		answer[name], next, err = c.h.engine.Logs(c.r.Context(), c.acct, q)
	case strings.EqualFold(s.groupBy, "messageId"):
		if !s.counted {
			q.Count = maxGroups
		}
		answer["messages"], next, err = c.h.engine.LogsByMessage(c.r.Context(), c.acct, q)
	default:
		return badRequest("invalid groupBy " + strconv.Quote(s.groupBy))
	}
	if err != nil {
		return err
	}
	if next != "" {
		answer["cursor"] = next
	}
	return c.ok(answer)
}

func (s *selection) dlq() qstash.DLQQuery {
	return qstash.DLQQuery{Filter: s.filter, Cursor: s.cursor, Count: s.count, Latest: s.latest != nil && *s.latest}
}

func (c *call) dlq() error {
	ctx, e := c.r.Context(), c.h.engine
	switch {
	case c.is("dlq") && (c.r.Method == http.MethodGet || c.r.Method == http.MethodDelete):
		s, err := c.selects(dlqFilters, maxDLQ)
		if err != nil {
			return err
		}
		if c.r.Method == http.MethodGet {
			return c.listDLQ(s)
		}
		return c.deleteDLQ(s)
	case c.is("dlq", "retry") && c.changes():
		s, err := c.selects(dlqFilters, maxDLQ)
		if err != nil {
			return err
		}
		change, err := c.override()
		if err != nil {
			return err
		}
		list, next, err := e.RetryDeadLetters(ctx, c.acct, s.dlq(), change)
		if err != nil {
			return err
		}
		responses := make([]map[string]string, len(list))
		for i, p := range list {
			responses[i] = map[string]string{"messageId": p.MessageID}
		}
		return c.page(http.StatusCreated, "responses", responses, next)
	case c.is("dlq", "retry", "*") && c.changes():
		change, err := c.override()
		if err != nil {
			return err
		}
		p, err := e.RetryDeadLetter(ctx, c.acct, c.seg[2], change)
		if err != nil {
			return err
		}
		return c.answer(http.StatusCreated, map[string]string{"messageId": p.MessageID})
	case c.is("dlq", "*") && c.r.Method == http.MethodGet:
		m, err := e.DeadLetter(ctx, c.acct, c.seg[1])
		if err != nil {
			return err
		}
		return c.ok(m)
	case c.is("dlq", "*") && c.r.Method == http.MethodDelete:
		if err := e.DeleteDeadLetter(ctx, c.acct, c.seg[1]); err != nil {
			return err
		}
		return c.ok(map[string]int{"deleted": 1})
	}
	return c.unserved("dlq")
}

func (c *call) listDLQ(s selection) error {
	list, next, err := c.h.engine.DeadLetters(c.r.Context(), c.acct, s.dlq())
	if err != nil {
		return err
	}
	return c.page(http.StatusOK, "messages", list, next)
}

func (c *call) deleteDLQ(s selection) error {
	n, next, err := c.h.engine.DeleteDeadLetters(c.r.Context(), c.acct, s.dlq())
	if err != nil {
		return err
	}
	return c.page(http.StatusOK, "deleted", n, next)
}

// page answers with a page of something; the cursor is absent on the last one.
func (c *call) page(status int, name string, v any, next string) error {
	answer := map[string]any{name: v}
	if next != "" {
		answer["cursor"] = next
	}
	return c.answer(status, answer)
}

// override reads the options that a request gives for a message that is sent again.
func (c *call) override() (qstash.Override, error) {
	h := c.header()
	o, err := parseOptions(h)
	if err != nil {
		return nil, err
	}
	return func(to *qstash.Options) {
		if o.Method != "" {
			to.Method = o.Method
		}
		if o.Delay != 0 {
			to.Delay, to.NotBefore = o.Delay, time.Time{}
		}
		if !o.NotBefore.IsZero() {
			to.NotBefore = o.NotBefore
		}
		if o.Retries != nil {
			to.Retries = o.Retries
		}
		if o.RetryDelay != "" {
			to.RetryDelay = o.RetryDelay
		}
		if o.Timeout != 0 {
			to.Timeout = o.Timeout
		}
		if o.Callback != nil {
			to.Callback = o.Callback
		}
		if o.FailureCallback != nil {
			to.FailureCallback = o.FailureCallback
		}
		if o.Flow != nil {
			to.Flow = o.Flow
		}
		if len(o.Labels) > 0 {
			to.Labels = o.Labels
		}
		for name, values := range o.Header {
			if name == "Content-Type" {
				continue // of the request, not of the message
			}
			header := qstash.Header{}
			for n, v := range to.Header {
				header[n] = v
			}
			header[name] = values
			to.Header = header
		}
	}, nil
}

func (c *call) queues() error {
	ctx, e := c.r.Context(), c.h.engine
	yes, no := true, false
	switch {
	case c.is("queues") && c.r.Method == http.MethodGet:
		list, err := e.Queues(ctx, c.acct)
		if err != nil {
			return err
		}
		return c.ok(list)
	case c.is("queues") && c.changes():
		var req struct {
			Name        string `json:"queueName"`
			Parallelism *int   `json:"parallelism"`
			Paused      *bool  `json:"paused"`
		}
		if err := c.json(&req); err != nil {
			return err
		}
		return c.done(e.UpsertQueue(ctx, c.acct, req.Name, req.Parallelism, req.Paused))
	case c.is("queues", "*") && c.r.Method == http.MethodGet:
		q, err := e.Queue(ctx, c.acct, c.seg[1])
		if err != nil {
			return err
		}
		return c.ok(q)
	case c.is("queues", "*") && c.r.Method == http.MethodDelete:
		return c.done(e.DeleteQueue(ctx, c.acct, c.seg[1]))
	case c.is("queues", "*", "pause") && c.changes():
		return c.done(e.UpsertQueue(ctx, c.acct, c.seg[1], nil, &yes))
	case c.is("queues", "*", "resume") && c.changes():
		return c.done(e.UpsertQueue(ctx, c.acct, c.seg[1], nil, &no))
	}
	return c.unserved("queues")
}

// done answers what has no result.
func (c *call) done(err error) error {
	if err != nil {
		return err
	}
	return c.ok(struct{}{})
}

func (c *call) topics() error {
	ctx, e := c.r.Context(), c.h.engine
	switch {
	case c.is("topics") && c.r.Method == http.MethodGet:
		list, err := e.Groups(ctx, c.acct)
		if err != nil {
			return err
		}
		return c.ok(list)
	case c.is("topics", "*") && c.r.Method == http.MethodGet:
		g, err := e.Group(ctx, c.acct, c.seg[1])
		if err != nil {
			return err
		}
		return c.ok(g)
	case c.is("topics", "*") && c.r.Method == http.MethodDelete:
		return c.done(e.DeleteGroup(ctx, c.acct, c.seg[1]))
	case c.is("topics", "*") && c.r.Method == http.MethodPatch:
		var req struct {
			Headers map[string]any `json:"headers"`
		}
		if err := c.json(&req); err != nil {
			return err
		}
		headers, err := groupHeaders(req.Headers)
		if err != nil {
			return err
		}
		return c.done(e.SetGroupHeaders(ctx, c.acct, c.seg[1], headers))
	case c.is("topics", "*", "endpoints") && (c.changes() || c.r.Method == http.MethodDelete):
		var req struct {
			Endpoints []qstash.Endpoint `json:"endpoints"`
		}
		if err := c.json(&req); err != nil {
			return err
		}
		if c.r.Method == http.MethodDelete {
			return c.done(e.RemoveEndpoints(ctx, c.acct, c.seg[1], req.Endpoints))
		}
		return c.done(e.AddEndpoints(ctx, c.acct, c.seg[1], req.Endpoints))
	}
	return c.unserved("topics")
}

// groupHeaders reads fields whose values are texts or arrays of texts, and checks what they say.
func groupHeaders(in map[string]any) (map[string][]string, error) {
	h := http.Header{}
	for name, value := range in {
		switch v := value.(type) {
		case string:
			h.Add(name, v)
		case []any:
			for _, one := range v {
				text, ok := one.(string)
				if !ok {
					return nil, badRequest("invalid value for header " + name)
				}
				h.Add(name, text)
			}
		default:
			return nil, badRequest("invalid value for header " + name)
		}
	}
	_, err := parseOptions(h)
	return h, err
}

func (c *call) schedules() error {
	ctx, e := c.r.Context(), c.h.engine
	switch {
	case c.is("schedules") && c.r.Method == http.MethodGet:
		list, err := e.Schedules(ctx, c.acct)
		if err != nil {
			return err
		}
		return c.ok(list)
	case c.is("schedules", "*") && c.r.Method == http.MethodGet:
		s, err := e.Schedule(ctx, c.acct, c.seg[1])
		if err != nil {
			return err
		}
		return c.ok(s)
	case c.is("schedules", "*") && c.r.Method == http.MethodDelete:
		return c.done(e.DeleteSchedule(ctx, c.acct, c.seg[1]))
	case c.is("schedules", "*", "pause") && c.changes():
		return c.done(e.PauseSchedule(ctx, c.acct, c.seg[1], true))
	case c.is("schedules", "*", "resume") && c.changes():
		return c.done(e.PauseSchedule(ctx, c.acct, c.seg[1], false))
	}
	return c.unserved("schedules")
}

func (c *call) flowControl() error {
	ctx, e := c.r.Context(), c.h.engine
	q, err := url.ParseQuery(c.query)
	if err != nil {
		return badRequest("invalid query")
	}
	switch {
	case c.is("flowControl") && c.r.Method == http.MethodGet:
		list, err := e.FlowControls(ctx, c.acct, q.Get("search"))
		if err != nil {
			return err
		}
		return c.ok(list)
	case c.is("flowControl", "*") && c.r.Method == http.MethodGet:
		f, err := e.FlowControl(ctx, c.acct, c.seg[1])
		if err != nil {
			return err
		}
		return c.ok(f)
	case c.is("flowControl", "*", "*") && c.changes():
		key := c.seg[1]
		switch strings.ToLower(c.seg[2]) {
		case "pause":
			return c.done(e.PauseFlow(ctx, c.acct, key, true))
		case "resume":
			return c.done(e.PauseFlow(ctx, c.acct, key, false))
		case "resetrate", "reset":
			return c.done(e.ResetRate(ctx, c.acct, key))
		case "unpin":
			return c.done(e.UnpinFlow(ctx, c.acct, key, q.Get("parallelism") == "true", q.Get("rate") == "true"))
		case "pin":
			parallelism, perr := optionalInt(q.Get("parallelism"))
			rate, rerr := optionalInt(q.Get("rate"))
			var period time.Duration
			if text := q.Get("period"); text != "" {
				if period, err = qstash.ParseDuration(text); err != nil {
					return err
				}
			}
			if perr != nil || rerr != nil {
				return badRequest("parallelism and rate must be positive numbers")
			}
			return c.done(e.PinFlow(ctx, c.acct, key, parallelism, rate, period))
		}
	}
	return c.unserved("flowControl")
}

func optionalInt(text string) (*int, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	return &n, err
}

func (c *call) globalParallelism() error {
	if len(c.seg) != 1 || c.r.Method != http.MethodGet {
		return c.unserved("globalParallelism")
	}
	g, err := c.h.engine.GlobalParallelism(c.r.Context(), c.acct)
	if err != nil {
		return err
	}
	return c.ok(g)
}

func (c *call) keys() error {
	switch {
	case c.is("keys") && c.r.Method == http.MethodGet:
		a, err := c.h.engine.Account(c.r.Context(), c.acct)
		if err != nil {
			return err
		}
		return c.ok(a.Keys)
	case (c.is("keys", "rotate") || c.is("rotate")) && c.changes():
		keys, err := c.h.engine.RotateKeys(c.r.Context(), c.acct)
		if err != nil {
			return err
		}
		return c.ok(keys)
	}
	return c.unserved(c.seg[0])
}
