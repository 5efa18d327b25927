package console

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

// bar is a step in the waterfall of a run: when it took place, in thousandths of the whole.
type bar struct {
	Name        string
	Tone        string // of its state
	X, Width    int
	Took        string
	Start, End  time.Time
	Going, Long bool // it goes on; it waits or sleeps rather than works
}

// minBar is the width of the shortest bar.
const minBar = 4

// waterfall lays the steps of a run out in time. Workflows say when a step has ended, which is when its result was sent, and not when
// it began: a step begins when the one before it has ended, and branches that run beside each other begin together.
func waterfall(steps []runStep, begin, end time.Time, now time.Time) []bar {
	if len(steps) == 0 || begin.IsZero() {
		return nil
	}
	until := end
	if until.IsZero() {
		until = now
	}
	bars := make([]bar, len(steps))
	from, last := begin, begin // where the next steps begin, and where those that run beside each other end
	for i := range steps {
		s := &steps[i]
		if !s.Parallel || i > 0 && !steps[i-1].Parallel {
			from = last
		}
		b := bar{Name: s.Name, Tone: s.Badge.Tone, Start: from, Long: s.Event != "" || !s.Wakes.IsZero()}
		if !s.At.IsZero() && (!s.Done || !s.Wakes.IsZero()) {
			b.Start = s.At // it was sent when it began
		}
		switch {
		case !s.Wakes.IsZero():
			b.End = s.Wakes
		case s.Done && !s.At.IsZero():
			b.End = s.At
		case s.Done:
			b.End = from
		default:
			b.End, b.Going = until, end.IsZero()
		}
		if b.End.After(until) {
			b.End, b.Going = until, end.IsZero()
		}
		if b.End.Before(b.Start) {
			b.Start = b.End
		}
		if b.End.After(last) {
			last = b.End
		}
		bars[i] = b
	}
	whole := until.Sub(begin)
	for i := range bars {
		b := &bars[i]
		b.Took = duration(b.End.Sub(b.Start))
		if whole <= 0 {
			b.Width = 1000
			continue
		}
		b.X = max(0, min(1000-minBar, int(1000*b.Start.Sub(begin)/whole)))
		b.Width = max(minBar, min(1000-b.X, int(1000*b.End.Sub(b.Start)/whole)))
	}
	return bars
}

// wait is an event that a run waits for.
type wait struct {
	Event string
	Until time.Time
}

// waitsOf are the events that the steps of a run wait for, if it runs.
func waitsOf(l *qstash.RunLog) ([]wait, error) {
	if l.State != runStarted {
		return nil, nil
	}
	var waits []wait
	for _, group := range l.Steps {
		for _, fields := range group.Steps {
			f, err := readStep(fields)
			if err != nil {
				return nil, err
			}
			if f.waits() {
				waits = append(waits, wait{f.Event, time.UnixMilli(int64(f.WaitUntil))})
			}
		}
	}
	return waits, nil
}

// markWaiting says of runs that go on whether they wait for an event.
func (r *request) markWaiting(rows []runRow) error {
	var ids []string
	for _, row := range rows {
		if row.State == runStarted {
			ids = append(ids, row.RunID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, _, err := r.h.qstash.RunLogs(r.Context(), r.resource.ID, qstash.RunFilter{RunIDs: ids}, "", len(ids), true)
	if err != nil {
		return qstashError(err)
	}
	waiting := map[string]bool{}
	for i := range list {
		waits, err := waitsOf(&list[i])
		if err != nil {
			return err
		}
		waiting[list[i].RunID] = len(waits) > 0
	}
	for i := range rows {
		if waiting[rows[i].RunID] {
			rows[i].Badge = stateBadge{"Waiting for an event", "warn"}
		}
	}
	return nil
}

// notifyWorkflowRun tells a run that an event has happened which it waits for.
func notifyWorkflowRun(r *request) error {
	run, event, data := r.PathValue("run"), r.form("event"), r.form("data")
	if data != "" && !json.Valid([]byte(data)) {
		return edge.Refuse(http.StatusUnprocessableEntity, "The data is no JSON. A text has quotation marks around it.")
	}
	told, err := r.h.qstash.Notify(r.Context(), r.resource.ID, event, run, []byte(data))
	if err != nil {
		return qstashError(err)
	}
	if len(told) == 0 {
		return r.redirect(r.path("runs", run), "It does not wait for "+clip(event, 100)+" now. It is told as soon as it does.")
	}
	return r.redirect(r.path("runs", run), "The run goes on with "+clip(event, 100)+".")
}

// attempts says how often a step was tried.
func attempts(s *runStep) string {
	if len(s.Errors) == 0 {
		return ""
	}
	n := len(s.Errors)
	if s.Badge != badgeOf("STEP_FAILED") {
		n++
	}
	if n == 1 {
		return "1 attempt"
	}
	return strconv.Itoa(n) + " attempts"
}
