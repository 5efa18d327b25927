package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
)

// isStream reports whether a path's first segment asks for server-sent events.
func isStream(command string) bool {
	return strings.EqualFold(command, "subscribe") || strings.EqualFold(command, "psubscribe") ||
		strings.EqualFold(command, "monitor")
}

// stream begins an answer of server-sent events. Whatever refuses it is an ordinary answer.
func (x *exchange) stream(path []string, can bool) error {
	switch {
	case x.r.Method == http.MethodHead:
		return errHead
	case !can:
		return errNoStream
	}
	x.s.used.class, x.s.used.commands = meter.ClassPubSub, 1
	kind := strings.ToLower(path[0])
	names, err := streamNames(x.r, path)
	if err != nil {
		return err
	}
	if kind != "monitor" && len(names) == 0 || kind == "monitor" && len(names) > 0 {
		return badRequest("ERR wrong number of arguments for '" + kind + "' command")
	}
	if err := x.leaveReplica(); err != nil {
		return err
	}
	ev := &events{log: x.h.log, keepAlive: x.h.keepAlive, monitors: kind == "monitor", lines: x.r.Method == http.MethodPost}
	switch kind {
	case "subscribe":
		ev.sub, err = x.h.engine.Subscribe(x.ctx, x.db, x.access, names, nil)
	case "psubscribe":
		ev.sub, err = x.h.engine.Subscribe(x.ctx, x.db, x.access, nil, names)
	default:
		ev.greeting = appendEvent(nil, "", `"OK"`)
		ev.sub, err = x.h.engine.Monitor(x.ctx, x.db, x.access)
	}
	var refused redis.Error
	if errors.As(err, &refused) {
		return badRequest(string(refused))
	}
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
		ev.greeting = ev.append(ev.greeting, kind+","+name+",", strconv.Itoa(len(seen)))
	}
	ev.allowed = x.stillAllowed(kind, names)
	x.s.events = ev
	return nil
}

// stillAllowed makes a check that a token still opens the database and allows the stream.
func (x *exchange) stillAllowed(kind string, names []string) func(context.Context) bool {
	h, host, bearer := x.h, x.r.Host, x.bearer // the exchange ends before the stream
	return func(ctx context.Context) bool {
		_, access, err := h.authorize(ctx, host, bearer)
		if err != nil {
			return edge.Of(err).Err != nil // it could not be checked: at the next time
		}
		switch kind {
		case "subscribe":
			return access.CheckSubscribe(names, nil) == nil
		case "psubscribe":
			return access.CheckSubscribe(nil, names) == nil
		}
		return access.CheckMonitor() == nil
	}
}

// streamNames are the channels or patterns of a request. Clients do not encode them: a
// question mark, and what follows it, belongs to the last one, unless it is the token's parameter.
func streamNames(r *Request, path []string) ([]string, error) {
	names := path[1:]
	if n := len(names); n > 0 && names[n-1] == "" {
		names = names[:n-1] // "/subscribe/channel/"
	}
	_, kept, _ := edge.CutQuery(r.Query, tokenParameter)
	if len(names) == 0 || !r.Asks || kept == "" && r.Query != "" {
		return names, nil
	}
	rest, ok := unescape(kept, false)
	if !ok {
		return nil, errEscape
	}
	names[len(names)-1] += "?" + rest
	return names, nil
}

// maxUnchecked is how long a stream goes on without a check of its token. Together with the age that a database's
// record can have, it keeps the promise that a revoked token opens nothing after ten seconds.
const maxUnchecked = 5 * time.Second

// events are the answer to a subscription.
type events struct {
	log       *slog.Logger
	keepAlive time.Duration
	sub       *redis.Subscription
	greeting  []byte
	monitors  bool
	lines     bool                       // the client takes each line for an event
	allowed   func(context.Context) bool // the token is still good
	ended     func(sent int64)           // nil, or called with the number of bytes sent
}

// send writes events until the client is gone, the token is not good any more, or the
// server has to end.
func (ev *events) send(ctx context.Context, w io.Writer) {
	defer ev.sub.Close()
	if ev.ended != nil {
		counted := &countingWriter{Writer: w}
		defer func() { ev.ended(counted.n) }()
		w = counted
	}
	if _, err := w.Write(ev.greeting); err != nil {
		return
	}
	for quiet := time.Duration(0); ; {
		period := min(ev.keepAlive-quiet, maxUnchecked)
		if !ev.sendFor(ctx, w, period) || !ev.allowed(ctx) {
			return
		}
		if quiet += period; quiet < ev.keepAlive {
			continue
		}
		quiet = 0
		if _, err := io.WriteString(w, ": ping\n\n"); err != nil {
			return
		}
	}
}

// sendFor writes events for a time. It reports false if the answer has ended.
func (ev *events) sendFor(ctx context.Context, w io.Writer, d time.Duration) bool {
	wait, stop := context.WithTimeout(ctx, d)
	defer stop()
	for out := []byte(nil); wait.Err() == nil; out = out[:0] {
		m, err := ev.sub.Next(wait)
		ends := false
		switch {
		case ctx.Err() != nil:
			return false
		case errors.Is(err, context.DeadlineExceeded):
			return true
		case err != nil:
			ev.log.WarnContext(ctx, "a subscription ends", "error", err)
			out, ends = append(out, ": "+redis.FailureText(err)+"\n\n"...), true
		case ev.monitors:
			out = ev.append(out, "", m.Payload)
		case m.Pattern != "":
			out = ev.append(out, "pmessage,"+m.Pattern+","+m.Channel+",", m.Payload)
		default:
			out = ev.append(out, "message,"+m.Channel+",", m.Payload)
		}
		if _, err := w.Write(out); err != nil || ends {
			return false
		}
		if cap(out) > maxReused {
			out = nil
		}
	}
	return ctx.Err() == nil
}

// append appends an event of a head, which names the channel, and a payload.
func (ev *events) append(out []byte, head, payload string) []byte {
	if ev.lines && strings.ContainsAny(head+payload, "\r\n") {
		head, payload = inLine.Replace(head), lineOf(payload)
	}
	return appendEvent(out, head, payload)
}

var inLine = strings.NewReplacer("\r", `\r`, "\n", `\n`)

// lineOf is a payload with line breaks as one line that means the same to a client that reads payloads as JSON, and
// as what they are if they are none: the JSON text without white space, or the payload as a JSON string.
func lineOf(payload string) string {
	if !strings.ContainsAny(payload, "\r\n") {
		return payload
	}
	v := jsontext.Value(payload)
	if v.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil {
		return string(v)
	}
	line, _ := jsontext.AppendQuote(nil, payload) // the error says that U+FFFD stands for what is no UTF-8, as in the client
	return string(line)
}

// appendEvent appends an event as the standard has it. Line breaks of any kind split it into several lines: they
// must not look like events of their own.
func appendEvent(out []byte, head, payload string) []byte {
	data := head + payload
	for {
		i := strings.IndexAny(data, "\r\n")
		out = append(out, "data: "...)
		if i < 0 {
			return append(append(out, data...), "\n\n"...)
		}
		out = append(append(out, data[:i]...), '\n')
		if strings.HasPrefix(data[i:], "\r\n") {
			i++
		}
		data = data[i+1:]
	}
}
