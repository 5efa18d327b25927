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

func (x *exchange) messages() error {
	ctx, e := x.r.Context(), x.h.engine
	switch {
	case x.at(reads, "messages", "*"):
		m, err := e.Message(ctx, x.acct, x.seg[1])
		if err != nil {
			return err
		}
		return x.ok(m)
	case x.at(removes, "messages", "*"):
		if err := e.Cancel(ctx, x.acct, x.seg[1]); err != nil {
			return err
		}
		if x.version1 {
			return x.answer(http.StatusAccepted, map[string]string{"status": "accepted"})
		}
		return x.ok(map[string]int{"cancelled": 1})
	case !x.version1 && x.at(changes, "messages", "*", "retry"):
		if err := e.RetryNow(ctx, x.acct, x.seg[1]); err != nil {
			return err
		}
		return x.ok(map[string]string{"messageId": x.seg[1]})
	case !x.version1 && x.at(removes, "messages"):
		s, err := x.selects(messageFilters, maxCancel)
		if err != nil {
			return err
		}
		n, err := x.cancelAll(s)
		if err != nil {
			return err
		}
		return x.ok(map[string]int{"cancelled": n})
	}
	return x.unserved()
}

// cancelAll cancels what is selected. Without count, and without anything selected, that is everything.
func (x *exchange) cancelAll(s selection) (int, error) {
	total := 0
	for {
		n, err := x.h.engine.CancelMany(x.r.Context(), x.acct, s.filter, s.count)
		total += n
		if err != nil || s.counted || n < s.count || len(s.filter.MessageIDs) > 0 {
			return total, err
		}
	}
}

func (x *exchange) logs() error {
	if x.at(reads, x.seg[0], "tail") {
		return x.tail()
	}
	if !x.at(reads, x.seg[0]) {
		return x.unserved()
	}
	s, err := x.selects(logFilters, maxLogs)
	if err != nil {
		return err
	}
	q := qstash.LogQuery{Filter: s.filter, Cursor: s.cursor, Count: s.count, Earliest: s.latest != nil && !*s.latest, TrimBody: s.trim}
	name := strings.ToLower(x.seg[0])
	answer := map[string]any{}
	var next string
	switch {
	case s.groupBy == "":
		answer[name], next, err = x.h.engine.Logs(x.r.Context(), x.acct, q)
	case strings.EqualFold(s.groupBy, "messageId"):
		if !s.counted {
			q.Count = maxGroups
		}
		answer["messages"], next, err = x.h.engine.LogsByMessage(x.r.Context(), x.acct, q)
	default:
		return badRequest("invalid groupBy " + strconv.Quote(s.groupBy))
	}
	if err != nil {
		return err
	}
	if next != "" {
		answer["cursor"] = next
	}
	return x.ok(answer)
}

func (s *selection) dlq() qstash.DLQQuery {
	return qstash.DLQQuery{Filter: s.filter, Cursor: s.cursor, Count: s.count, Latest: s.latest != nil && *s.latest}
}

func (x *exchange) dlq() error {
	ctx, e := x.r.Context(), x.h.engine
	switch {
	case x.at(reads|removes, "dlq"):
		s, err := x.selects(dlqFilters, maxDLQ)
		if err != nil {
			return err
		}
		if x.method == http.MethodGet {
			return x.listDLQ(s)
		}
		return x.deleteDLQ(s)
	case x.at(changes, "dlq", "retry"):
		s, err := x.selects(dlqFilters, maxDLQ)
		if err != nil {
			return err
		}
		change, err := x.override()
		if err != nil {
			return err
		}
		list, next, err := e.RetryDeadLetters(ctx, x.acct, s.dlq(), change)
		if err != nil {
			return err
		}
		responses := make([]map[string]string, len(list))
		for i, p := range list {
			responses[i] = map[string]string{"messageId": p.MessageID}
		}
		return x.page(http.StatusCreated, "responses", responses, next)
	case x.at(changes, "dlq", "retry", "*"):
		change, err := x.override()
		if err != nil {
			return err
		}
		p, err := e.RetryDeadLetter(ctx, x.acct, x.seg[2], change)
		if err != nil {
			return err
		}
		return x.answer(http.StatusCreated, map[string]string{"messageId": p.MessageID})
	case x.at(reads, "dlq", "*"):
		m, err := e.DeadLetter(ctx, x.acct, x.seg[1])
		if err != nil {
			return err
		}
		return x.ok(m)
	case x.at(removes, "dlq", "*"):
		if err := e.DeleteDeadLetter(ctx, x.acct, x.seg[1]); err != nil {
			return err
		}
		return x.ok(map[string]int{"deleted": 1})
	}
	return x.unserved()
}

func (x *exchange) listDLQ(s selection) error {
	list, next, err := x.h.engine.DeadLetters(x.r.Context(), x.acct, s.dlq())
	if err != nil {
		return err
	}
	return x.page(http.StatusOK, "messages", list, next)
}

func (x *exchange) deleteDLQ(s selection) error {
	n, next, err := x.h.engine.DeleteDeadLetters(x.r.Context(), x.acct, s.dlq())
	if err != nil {
		return err
	}
	return x.page(http.StatusOK, "deleted", n, next)
}

// page answers with a page of something; the cursor is absent on the last one.
func (x *exchange) page(status int, name string, v any, next string) error {
	answer := map[string]any{name: v}
	if next != "" {
		answer["cursor"] = next
	}
	return x.answer(status, answer)
}

// override reads the options that a request gives for a message that is sent again.
func (x *exchange) override() (qstash.Override, error) {
	h := x.header()
	o, err := x.options(h)
	if err != nil {
		return nil, err
	}
	return func(to *qstash.Options) {
		to.Trail = o.Trail
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
			if name == "Content-Type" || name == "Content-Encoding" {
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

func (x *exchange) queues() error {
	ctx, e := x.r.Context(), x.h.engine
	yes, no := true, false
	switch {
	case x.at(reads, "queues"):
		list, err := e.Queues(ctx, x.acct)
		if err != nil {
			return err
		}
		return x.ok(list)
	case x.at(changes, "queues"):
		var req struct {
			Name        string `json:"queueName"`
			Parallelism *int   `json:"parallelism"`
			Paused      *bool  `json:"paused"`
		}
		if err := x.json(&req); err != nil {
			return err
		}
		return x.done(e.UpsertQueue(ctx, x.acct, req.Name, req.Parallelism, req.Paused))
	case x.at(reads, "queues", "*"):
		q, err := e.Queue(ctx, x.acct, x.seg[1])
		if err != nil {
			return err
		}
		return x.ok(q)
	case x.at(removes, "queues", "*"):
		return x.done(e.DeleteQueue(ctx, x.acct, x.seg[1]))
	case x.at(changes, "queues", "*", "pause"):
		return x.done(e.UpsertQueue(ctx, x.acct, x.seg[1], nil, &yes))
	case x.at(changes, "queues", "*", "resume"):
		return x.done(e.UpsertQueue(ctx, x.acct, x.seg[1], nil, &no))
	}
	return x.unserved()
}

// done answers what has no result.
func (x *exchange) done(err error) error {
	if err != nil {
		return err
	}
	return x.ok(struct{}{})
}

func (x *exchange) topics() error {
	ctx, e := x.r.Context(), x.h.engine
	switch {
	case x.at(reads, "topics"):
		list, err := e.Groups(ctx, x.acct)
		if err != nil {
			return err
		}
		return x.ok(list)
	case x.at(reads, "topics", "*"):
		g, err := e.Group(ctx, x.acct, x.seg[1])
		if err != nil {
			return err
		}
		return x.ok(g)
	case x.at(removes, "topics", "*"):
		return x.done(e.DeleteGroup(ctx, x.acct, x.seg[1]))
	case x.at(patches, "topics", "*"):
		var req struct {
			Headers map[string]any `json:"headers"`
		}
		if err := x.json(&req); err != nil {
			return err
		}
		headers, err := groupHeaders(req.Headers)
		if err != nil {
			return err
		}
		return x.done(e.SetGroupHeaders(ctx, x.acct, x.seg[1], headers))
	case x.at(changes|removes, "topics", "*", "endpoints"):
		var req struct {
			Endpoints []qstash.Endpoint `json:"endpoints"`
		}
		if err := x.json(&req); err != nil {
			return err
		}
		if x.method == http.MethodDelete {
			return x.done(e.RemoveEndpoints(ctx, x.acct, x.seg[1], req.Endpoints))
		}
		return x.done(e.AddEndpoints(ctx, x.acct, x.seg[1], req.Endpoints))
	}
	return x.unserved()
}

// groupHeaders reads fields whose values are texts or arrays of texts, and checks what they say.
func groupHeaders(in map[string]any) (map[string][]string, error) {
	h := http.Header{}
	for name, value := range in {
		name = fieldName(name)
		switch v := value.(type) {
		case string:
			h[name] = append(h[name], v)
		case []any:
			for _, one := range v {
				text, ok := one.(string)
				if !ok {
					return nil, badRequest("invalid value for header " + name)
				}
				h[name] = append(h[name], text)
			}
		default:
			return nil, badRequest("invalid value for header " + name)
		}
	}
	_, err := parseOptions(h)
	return h, err
}

func (x *exchange) schedules() error {
	ctx, e := x.r.Context(), x.h.engine
	switch {
	case x.at(reads, "schedules"):
		list, err := e.Schedules(ctx, x.acct)
		if err != nil {
			return err
		}
		return x.ok(list)
	case x.at(reads, "schedules", "*"):
		s, err := e.Schedule(ctx, x.acct, x.seg[1])
		if err != nil {
			return err
		}
		return x.ok(s)
	case x.at(removes, "schedules", "*"):
		return x.done(e.DeleteSchedule(ctx, x.acct, x.seg[1]))
	case x.at(changes, "schedules", "*", "pause"):
		return x.done(e.PauseSchedule(ctx, x.acct, x.seg[1], true))
	case x.at(changes, "schedules", "*", "run"):
		ids, err := e.RunSchedule(ctx, x.acct, x.seg[1])
		if err != nil {
			return err
		}
		return x.answer(http.StatusCreated, map[string][]string{"messageIds": ids})
	case x.at(changes, "schedules", "*", "resume"):
		return x.done(e.PauseSchedule(ctx, x.acct, x.seg[1], false))
	}
	return x.unserved()
}

func (x *exchange) flowControl() error {
	ctx, e := x.r.Context(), x.h.engine
	q, err := url.ParseQuery(x.query)
	if err != nil {
		return badRequest("invalid query")
	}
	switch {
	case x.at(reads, "flowControl"):
		list, err := e.FlowControls(ctx, x.acct, q.Get("search"))
		if err != nil {
			return err
		}
		return x.ok(list)
	case x.at(reads, "flowControl", "*"):
		f, err := e.FlowControl(ctx, x.acct, x.seg[1])
		if err != nil {
			return err
		}
		return x.ok(f)
	case x.at(changes, "flowControl", "*", "*"):
		key := x.seg[1]
		switch strings.ToLower(x.seg[2]) {
		case "pause":
			return x.done(e.PauseFlow(ctx, x.acct, key, true))
		case "resume":
			return x.done(e.PauseFlow(ctx, x.acct, key, false))
		case "resetrate", "reset":
			return x.done(e.ResetRate(ctx, x.acct, key))
		case "unpin":
			return x.done(e.UnpinFlow(ctx, x.acct, key, q.Get("parallelism") == "true", q.Get("rate") == "true"))
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
			return x.done(e.PinFlow(ctx, x.acct, key, parallelism, rate, period))
		}
	}
	return x.unserved()
}

func optionalInt(text string) (*int, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	return &n, err
}

func (x *exchange) globalParallelism() error {
	if !x.at(reads, "globalParallelism") {
		return x.unserved()
	}
	g, err := x.h.engine.GlobalParallelism(x.r.Context(), x.acct)
	if err != nil {
		return err
	}
	return x.ok(g)
}

func (x *exchange) keys() error {
	switch {
	case x.at(reads, "keys"):
		a, err := x.h.engine.Account(x.r.Context(), x.acct)
		if err != nil {
			return err
		}
		return x.ok(a.Keys)
	case x.at(changes, "keys", "rotate") || x.at(changes, "rotate"):
		keys, err := x.h.engine.RotateKeys(x.r.Context(), x.acct)
		if err != nil {
			return err
		}
		return x.ok(keys)
	}
	return x.unserved()
}
