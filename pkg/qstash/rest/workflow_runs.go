package rest

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/qstash"
)

func (x *exchange) workflows() error {
	ctx, e := x.r.Context(), x.h.engine
	switch {
	case x.at(reads, "workflows", "runs", "*"):
		steps, err := e.RunSteps(ctx, x.acct, x.seg[2])
		if err != nil {
			return err
		}
		return x.ok(steps)
	case x.at(removes, "workflows", "runs", "*"):
		return x.endRun(x.seg[2])
	case x.at(changes, "workflows", "runs", "*", "retry"):
		n, err := e.RetryRunNow(ctx, x.acct, x.seg[2])
		if err != nil {
			return err
		}
		return x.ok(map[string]int{"retried": n})
	case x.at(reads|changes|removes, "workflows", "deadline"):
		return x.deadline()
	case x.at(removes, "workflows", "runs"):
		return x.cancelRuns()
	case x.at(reads, "workflows", "events") || x.at(reads, "workflows", "logs"):
		return x.runLogs()
	case x.at(reads|removes, "workflows", "dlq"):
		s, err := x.selects(dlqFilters, maxDLQ)
		if err != nil {
			return err
		}
		s.filter.Workflow = true
		if x.method == http.MethodGet {
			return x.listDLQ(s)
		}
		return x.deleteDLQ(s)
	case x.at(changes, "workflows", "dlq", "resume") || x.at(changes, "workflows", "dlq", "restart"):
		return x.resumeRuns(strings.EqualFold(x.seg[2], "restart"))
	case x.at(changes, "workflows", "dlq", "resume", "*") || x.at(changes, "workflows", "dlq", "restart", "*"):
		change, err := x.override()
		if err != nil {
			return err
		}
		run, err := e.ResumeRun(ctx, x.acct, x.seg[3], strings.EqualFold(x.seg[2], "restart"), change)
		if err != nil {
			return err
		}
		return x.ok(run)
	case x.at(changes, "workflows", "dlq", "callback", "*"):
		run, err := e.RetryFailureCallback(ctx, x.acct, x.seg[3])
		if err != nil {
			return err
		}
		return x.ok(run)
	case x.at(removes, "workflows", "dlq", "callback", "*"):
		return x.done(e.CancelFailureCallback(ctx, x.acct, x.seg[3]))
	case x.at(reads, "workflows", "dlq", "*"):
		m, err := e.DeadLetter(ctx, x.acct, x.seg[2])
		if err != nil {
			return err
		}
		return x.ok(m)
	case x.at(removes, "workflows", "dlq", "*"):
		return x.done(e.DeleteDeadLetter(ctx, x.acct, x.seg[2]))
	}
	return x.unserved()
}

// endRun ends a run as its workflow says, or cancels it.
func (x *exchange) endRun(id string) error {
	q, err := url.ParseQuery(x.query)
	if err != nil {
		return badRequest("invalid query")
	}
	if q.Get("cancel") != "false" {
		return x.done(x.h.engine.CancelRun(x.r.Context(), x.acct, id))
	}
	body, err := x.body(int64(x.h.engine.Limits().MaxMessageBytes))
	if err != nil {
		return err
	}
	return x.done(x.h.engine.FinishRun(x.r.Context(), x.acct, id, body))
}

const (
	cancelFilters = "workflowRunIds workflowUrl workflowUrlExactMatch label callerIp flowControlKey fromDate toDate count"
	runFilters    = "workflowUrl workflowRunId workflowCreatedAt workflowRuns messageId state label callerIp flowControlKey fromDate toDate count trimBody cursor groupBy order"
	maxRuns       = 1000
	maxRunGroups  = 10
)

// runFilter reads the filters of runs, with those that only runs have.
func (x *exchange) runFilter(names string, maxCount int) (qstash.RunFilter, selection, error) {
	exact, runs := true, []qstash.RunRef(nil)
	q, err := url.ParseQuery(x.query)
	if err != nil {
		return qstash.RunFilter{}, selection{}, badRequest("invalid query")
	}
	prefixed := strings.Contains(names, "workflowUrlExactMatch")
	if prefixed {
		exact = strings.EqualFold(q.Get("workflowUrlExactMatch"), "true")
	}
	for _, item := range q["workflowRuns"] {
		for _, one := range list(item) {
			id, created, dated := strings.Cut(one, "@")
			ref := qstash.RunRef{ID: id}
			if ref.Created, err = strconv.ParseInt(created, 10, 64); dated && err != nil {
				return qstash.RunFilter{}, selection{}, badRequest("invalid workflowRuns " + strconv.Quote(one))
			}
			runs = append(runs, ref)
		}
	}
	q.Del("workflowUrlExactMatch")
	q.Del("workflowRuns")
	x.query = q.Encode()
	s, err := x.selects(names, maxCount)
	if err != nil {
		return qstash.RunFilter{}, s, err
	}
	f := qstash.RunFilter{RunIDs: s.filter.RunID, Runs: runs, State: s.filter.State, Label: s.filter.Label, CallerIP: s.filter.CallerIP,
		FlowKey: s.filter.FlowKey, MessageID: s.filter.MessageIDs, From: s.filter.From, To: s.filter.To}
	if exact {
		f.URL = s.filter.WorkflowURL
	} else {
		f.URLPrefix = s.filter.WorkflowURL
	}
	return f, s, nil
}

func (x *exchange) cancelRuns() error {
	f, s, err := x.runFilter(cancelFilters, maxRuns)
	if err != nil {
		return err
	}
	total := 0
	for {
		n, err := x.h.engine.CancelRuns(x.r.Context(), x.acct, f, s.count)
		if err != nil {
			return err
		}
		if total += n; s.counted || n < s.count {
			return x.ok(map[string]int{"cancelled": total})
		}
	}
}

func (x *exchange) runLogs() error {
	f, s, err := x.runFilter(runFilters, maxRuns)
	if err != nil {
		return err
	}
	if !s.counted {
		s.count = maxRunGroups
	}
	cursor := ""
	if s.cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(s.cursor)
		if err != nil {
			return badRequest("invalid cursor")
		}
		cursor = string(raw)
	}
	list, next, err := x.h.engine.RunLogs(x.r.Context(), x.acct, f, cursor, s.count, s.trim)
	if err != nil {
		return err
	}
	if next != "" {
		next = base64.RawURLEncoding.EncodeToString([]byte(next))
	}
	return x.page(http.StatusOK, "runs", list, next)
}

func (x *exchange) resumeRuns(restart bool) error {
	s, err := x.selects(dlqFilters, maxResume)
	if err != nil {
		return err
	}
	change, err := x.override()
	if err != nil {
		return err
	}
	list, next, err := x.h.engine.ResumeRuns(x.r.Context(), x.acct, s.dlq(), restart, change)
	if err != nil {
		return err
	}
	return x.page(http.StatusOK, "workflowRuns", list, next)
}

// maxResume bounds the runs that one call resumes.
const maxResume = 50

// endsBatch reports whether the failure of one message is answered for all: a workflow
// asks in this way whether its run still goes on, and too many messages are so together,
// as is a loop.
func endsBatch(err error) bool {
	refused := (*qstash.Error)(nil)
	return errors.Is(err, qstash.ErrRunEnded) || errors.As(err, &refused) && (refused.Kind == qstash.KindTooMany || refused.Kind == qstash.KindLoop)
}
