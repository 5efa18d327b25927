package console

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/breaker"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
)

// publish sends a message, of which every attempt fails.
func (w *world) publish(res *control.Resource, url string, o qstash.Options) string {
	w.Helper()
	out := w.qstash.Publish(w.Context(), res.ID, []qstash.Request{{Destination: url, Body: []byte(`{"n":1}`), Options: o}})
	w.ok(out[0].Err)
	return out[0].Messages[0].MessageID
}

// hints are the wake-ups that QStash has asked for.
type hints struct {
	mu   sync.Mutex
	list []wake.Hint
}

// Wake implements wake.Waker.
func (h *hints) Wake(_ context.Context, list ...wake.Hint) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, list...)
	return nil
}

// Repeat implements wake.Waker: it repeats nothing.
func (*hints) Repeat(context.Context, string, *cron.Schedule) (bool, error) { return false, nil }

// Cease implements wake.Waker.
func (*hints) Cease(context.Context, string) error { return nil }

// next takes a wake-up that is due.
func (h *hints) next(now time.Time) (key string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.list, func(h wake.Hint) bool { return !h.At.After(now) })
	if i < 0 {
		return "", false
	}
	key = h.list[i].Key
	h.list = slices.Delete(h.list, i, i+1)
	return key, true
}

// pass lets time pass and does what is due.
func (w *world) pass(d time.Duration) {
	w.Helper()
	w.now = w.now.Add(d)
	for {
		key, ok := w.hints.next(w.now)
		if !ok {
			return
		}
		w.ok(w.qstash.Handle(w.Context(), key))
	}
}

func TestMessages(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	messages := "/r/" + res.ID + "/messages"
	c.get(messages).want("Nothing is waiting")
	c.get(messages+"/new").want("Destination", "application/json")
	c.post(messages+"/new", "destination", "", "headers", "nothing", "delay", "soon", "retries", "-1").is(422).
		want("Enter an address", "Write each header", "30s, 10m or 2d", "whole number from 0 on")
	c.post(messages+"/new", "destination", "ftp://x", "method", "POST").is(422).want("notice-bad")
	c.post(messages+"/new", "destination", "none", "method", "POST").is(422).want("notice-bad")
	p := c.post(messages+"/new", "destination", "https://example.com/task", "method", "PUT", "content_type", "application/json", "body", `{"a":1}`,
		"headers", "x-team: billing", "delay", "10m", "retries", "2", "queue", "emails").is(200)
	p.want("The message is on its way.", "PUT https://example.com/task", "X-Team", "billing", "&#34;a&#34;: 1", "0 of 2", "emails", "Queued", "Created")
	c.get(messages).want("https://example.com/task", "Queued")
	c.get(messages + "?queue=other").want("Nothing is waiting").lacks("example.com/task")
	c.post(p.path + "/cancel").want("Cancelled")
	c.post(p.path + "/cancel").want("nothing to cancel")
	c.get(messages).lacks("example.com/task")
	c.try(messages + "/msg_none").is(404)
	for range 60 {
		c.publish(res, "https://many.example", qstash.Options{Delay: time.Hour})
	}
	c.get(messages).want("Next page", "in 1 hour")
	c.try(messages + "?cursor=!").is(422)
}

func TestDeadLetters(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	dlq := "/r/" + res.ID + "/dlq"
	c.get(dlq).want("No dead letters", "kept for 7 days")
	none := 0
	for range 3 {
		c.publish(res, "https://down.example", qstash.Options{Retries: &none})
	}
	c.publish(res, "https://other.example", qstash.Options{Retries: &none, Queue: "q"})
	c.pass(2 * time.Minute)
	p := c.get(dlq).want("https://down.example", "https://other.example", "No answer", "&#34;n&#34;: 1")
	c.get(dlq + "?queue=q").want("other.example").lacks("down.example")
	c.get(dlq + "?queue=none").want("Nothing matches")
	c.post(dlq + "/retry").want("Choose the messages first.")
	c.post(dlq+"/retry", "dlq", p.hidden("dlq")).want("1 message was sent again.")
	c.post(dlq+"/retry", "dlq", p.hidden("dlq")).want("Nothing was left to be done.")
	c.pass(time.Minute) // in vain again
	c.post(dlq+"/delete?queue=q", "all", "1").want("1 message was deleted.", "Nothing matches")
	c.post(dlq+"/delete", "all", "1").want("messages were deleted.")
	c.get("/r/"+res.ID+"/logs").want("Failed, in the DLQ", "https://down.example")
}

func TestLogs(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	logs := "/r/" + res.ID + "/logs"
	c.get(logs).want("Nothing has happened yet", "kept for 3 days")
	id := c.publish(res, "https://a.example", qstash.Options{})
	c.publish(res, "https://b.example", qstash.Options{Queue: "q"})
	c.get(logs).want("https://a.example", "https://b.example", "Created", id)
	c.get(logs + "?url=" + "https://a.example").want("https://a.example").lacks("b.example")
	c.get(logs + "?queue=q").want("b.example").lacks("a.example")
	c.get(logs + "?message=" + id).want("a.example").lacks("b.example")
	c.get(logs + "?state=DELIVERED").want("Nothing matches")
	for range 60 {
		c.publish(res, "https://many.example", qstash.Options{})
	}
	if p := c.get(logs + "?state=CREATED").want("Next page"); strings.Count(p.body, `class="record"`) != deliveriesPerPage {
		t.Errorf("a page has %d events", strings.Count(p.body, `class="record"`))
	}
	c.try(logs + "?cursor=x").is(422)
}

func TestSchedules(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	schedules := "/r/" + res.ID + "/schedules"
	c.get(schedules).want("No schedules yet")
	c.get(schedules+"/new").want("25 Nov 2026, 09:00", "Missed runs", `<option value="skip" selected>Leave them out`)
	c.post(schedules+"/new", "destination", "https://a.example", "method", "POST", "cron", "0 9 * * *", "missed", "never").is(422).want("Invalid policy")
	c.htmx("GET", schedules+"/runs", "cron", "0 9 * * *", "zone", "America/New_York").is(200).want("24 Nov 2026, 14:00").lacks("<html")
	c.htmx("GET", schedules+"/runs", "cron", "61 * * * *").is(200).want("Minute: invalid value")
	c.htmx("GET", schedules+"/runs", "cron", "").is(200).want("Enter a cron expression")
	c.post(schedules+"/new", "destination", "https://a.example", "method", "POST", "cron", "61 * * * *").is(422).want("Minute: invalid value")
	p := c.post(schedules+"/new", "destination", "https://a.example", "method", "POST", "cron", "*/10 * * * *", "zone", "Europe/Berlin", "name", "nightly", "body", "hello", "missed", "once").is(200)
	p.want("The last one is made up for", "The schedule runs.", "CRON_TZ=Europe/Berlin */10 * * * *", "hello", "24 Nov 2026, 12:10", "It has not run yet.")
	c.post(schedules+"/new", "destination", "https://a.example", "method", "POST", "cron", "* * * * *", "name", "nightly").is(422).want("There is a schedule of that id already")
	c.post(p.path+"/pause", "paused", "1").want("Paused")
	c.get(schedules).want("Paused", "Resume")
	c.get(p.path).want("Would run")
	c.post(p.path + "/pause")
	c.pass(11 * time.Minute)
	c.get(p.path).lacks("It has not run yet.").want("msg_")
	c.post(p.path + "/delete").want("The schedule was deleted")
	c.try(p.path).is(404)
	c.post(p.path+"/pause", "paused", "1").want("not found")
}

func TestQueuesAndURLGroups(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	queues, groups := "/r/"+res.ID+"/queues", "/r/"+res.ID+"/url-groups"
	c.get(queues).want("No queues yet")
	c.post(queues, "name", "emails", "parallelism", "0").want("whole number from 1 to 1000")
	c.post(queues, "name", "a/b", "parallelism", "1").want("toast-bad")
	c.post(queues, "name", "emails", "parallelism", "3")
	c.get(queues).want("emails", "Running")
	c.post(queues+"/emails/pause", "paused", "1")
	c.publish(res, "https://a.example", qstash.Options{Queue: "emails"})
	c.get(queues).want("Paused", ">1</a>")
	c.post(queues+"/none/pause", "paused", "1").want("toast-bad")
	c.get(queues).lacks("none")
	c.post(queues+"/emails/delete").want("what waited in it cancelled", "No queues yet")

	c.get(groups).want("No URL groups yet")
	c.post(groups, "group", "hooks", "url", "nonsense").want("toast-bad")
	c.post(groups, "group", "hooks", "url", "https://a.example", "name", "first").want("hooks", "https://a.example", "first", "1 endpoint")
	c.post(groups, "group", "hooks", "url", "https://b.example").want("2 endpoints")
	c.get("/r/" + res.ID + "/messages/new?to=hooks").want(`value="hooks"`)
	c.post("/r/"+res.ID+"/messages/new", "destination", "hooks", "method", "POST").want("2 messages are on their way")
	c.post(groups+"/hooks/remove", "url", "https://a.example").want("1 endpoint")
	c.post(groups + "/hooks/delete").want("No URL groups yet")
}

func TestWorkflowRuns(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	runs := "/r/" + res.ID + "/runs"
	c.get(runs).want("No workflow runs yet")
	const url = "https://app.example/workflow"
	none := 0
	start := func(id string, delay time.Duration) {
		t.Helper()
		c.publish(res, url, qstash.Options{Retries: &none, Delay: delay, Workflow: &qstash.Workflow{RunID: id, URL: url, Init: true}})
	}
	step := func(id, body string) {
		t.Helper()
		c.ok(c.qstash.Publish(t.Context(), res.ID, []qstash.Request{{Destination: url, Body: []byte(body), Options: qstash.Options{
			Delay: time.Hour, Workflow: &qstash.Workflow{RunID: id, URL: url}}}})[0].Err)
	}
	start("wfr_fails", 0)
	start("wfr_waits", time.Hour)
	step("wfr_waits", `{"stepId":1,"stepName":"charge <card>","stepType":"Run","out":"{\"paid\":true}","concurrent":1}`)
	c.pass(time.Minute)
	c.get(runs).want("wfr_fails", "wfr_waits", "Failed", "Running", url)
	c.get(runs + "?state=RUN_FAILED").want("wfr_fails").lacks("wfr_waits")
	c.get(runs + "?run=wfr_waits").want("wfr_waits").lacks("wfr_fails")
	c.get(runs + "?url=https://other.example").want("Nothing matches")
	c.try(runs + "/wfr_none").is(404)

	c.get(runs+"/wfr_waits").want("Running", "Started", "&#34;n&#34;: 1", "Cancel run").lacks("Resume")
	c.post(runs + "/wfr_waits/resume").want("can no longer be resumed")
	c.post(runs + "/wfr_waits/cancel").want("Cancelled.").lacks("Cancel run")
	c.post(runs + "/wfr_waits/cancel").want("nothing to cancel")
	c.post(runs + "/wfr_none/cancel").lacks("Cancelled.")

	c.get(runs+"/wfr_fails").want("This run has failed.", "Resume", "Restart", "nothing is sent", "/messages/msg_").lacks("Cancel run")
	p := c.post(runs+"/wfr_fails/resume").want("goes on from the step that had failed", "Running")
	if p.path == runs+"/wfr_fails" {
		t.Errorf("still at %s", p.path)
	}
	c.get(runs + "/wfr_fails").lacks("Resume")
	c.post(runs + "/wfr_fails/resume").want("can no longer be resumed")
	c.pass(time.Minute) // in vain again
	c.post(p.path+"/resume", "restart", "1").want("has begun from the first step")
	for i := range 60 {
		start("wfr_many_"+strconv.Itoa(i), time.Hour)
	}
	c.get(runs).want("Next page")
}

// A branch that runs beside others is shown once: planned, or done.
func TestStepsOfRuns(t *testing.T) {
	l := &qstash.RunLog{State: runStarted, Steps: []qstash.RunLogStep{
		{Type: "sequential", Steps: []map[string]any{{"stepName": "init", "stepType": "Initial", "out": "in", "callType": "step", "state": "STEP_SUCCESS", "createdAt": int64(1000)}}},
		{Type: "parallel", Steps: []map[string]any{
			{"stepId": 0.0, "targetStep": 1.0, "stepName": "a", "callType": "step", "state": "STEP_SUCCESS"},
			{"stepId": 0.0, "targetStep": 2.0, "stepName": "b", "sleepFor": 60.0, "callType": "step", "state": "STEP_SUCCESS"},
			{"stepId": 1.0, "stepName": "a", "out": map[string]any{"x": 1}, "callType": "step", "state": "STEP_SUCCESS"},
		}},
		{Type: "sequential", Steps: []map[string]any{{"stepId": 3.0, "stepName": 7, "callUrl": "https://x.example", "callMethod": "GET", "callType": "step", "state": "STEP_SUCCESS"}}},
		{Type: "next", Steps: []map[string]any{{"messageId": "m", "state": "STEP_RETRY", "errors": []map[string]any{{"error": "broken", "status": 503, "time": 2000, "body": "no"}}}}},
	}}
	list, err := (&request{resource: &control.Resource{ID: "jobs"}}).runSteps(l)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, strings.Join([]string{s.Name, s.Badge.Text, s.Out.Text, fmt.Sprint(s.Parallel, s.Facts, len(s.Errors))}, "|"))
	}
	want := []string{
		"Started|Done|in|false [] 0",
		"b|Under way||true [[Sleeps for 60s]] 0",
		"a|Done|{\n  \"x\": 1\n}|true [] 0",
		"Step|Done||false [[Calls GET https://x.example]] 0",
		"Next call of the workflow|To be repeated||false [] 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// What a form does not show is as it was after it was saved, and so is what was not touched.
func TestSchedulesAreEdited(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	edit := "/r/" + res.ID + "/schedules/s/edit"
	two := 2
	created := qstash.ScheduleRequest{ID: "s", Cron: "CRON_TZ=Europe/Berlin 0 3 * * *", Destination: "https://a.example", Body: []byte("hello\r\n\x00"), Options: qstash.Options{
		Header: qstash.Header{"Content-Type": {"text/plain"}, "Authorization": {"s3cret"}, "X-Team": {"a", "b"}}, Delay: 90 * time.Second, Retries: &two, RetryDelay: "1000", Timeout: time.Second,
		Callback:        &qstash.Callback{URL: "https://cb.example", Options: qstash.Options{Header: qstash.Header{"Mine": {"1"}}}},
		FailureCallback: &qstash.Callback{URL: "https://fc.example"}, Flow: &qstash.Flow{Key: "flow", Rate: 3}, Labels: []string{"a", "b"},
		Redact: &qstash.Redact{Header: []string{"Authorization"}}, CallerIP: "1.2.3.4",
	}}
	_, err := c.qstash.CreateSchedule(t.Context(), res.ID, created)
	c.ok(err)
	settings := func() qstash.ScheduleRequest {
		t.Helper()
		s, err := c.qstash.ScheduleSettings(t.Context(), res.ID, "s")
		c.ok(err)
		return s
	}
	p := c.get(edit).want("Edit schedule", "Europe/Berlin", "https://cb.example", "https://fc.example", "flow", "1000", "90s", "Redacted ones (1)").lacks("s3cret")
	missed := "skip"
	form := func(pairs ...string) []string {
		return append(pairs, "seen", p.hidden("seen"), "format", p.hidden("format"), "destination", "https://a.example", "method", "POST", "content_type", "text/plain",
			"body", `hello\r\n\x00`, "headers", "X-Team: a\r\nX-Team: b", "delay", "90s", "retries", "2", "queue", "", "zone", "Europe/Berlin", "missed", missed)
	}
	c.post(edit, form("cron", "0 3 * * *")...).want("Saved.")
	if got := settings(); !reflect.DeepEqual(got, created) {
		t.Errorf("saved as it was: %+v", got)
	}
	c.post(edit, form("cron", "61 * * * *")...).is(422).want("Minute: invalid value", p.hidden("seen"))
	c.post(edit, form("cron", "0 4 * * *")...).want("Saved.", "CRON_TZ=Europe/Berlin 0 4 * * *")
	want := created
	want.Cron = "CRON_TZ=Europe/Berlin 0 4 * * *"
	if got := settings(); !reflect.DeepEqual(got, want) {
		t.Errorf("another time: %+v", got)
	}
	p = c.get(edit)
	missed = "all"
	c.post(edit, form("cron", "0 4 * * *")...).want("Saved.", "All are made up for")
	want.Missed = qstash.MissedAll
	if got := settings(); !reflect.DeepEqual(got, want) {
		t.Errorf("another policy: %+v", got)
	}
	// What was shown is not what is there any more.
	again := c.post(edit, form("cron", "0 5 * * *")...).is(409).want("changed by somebody else")
	if got := settings(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a conflict: %+v", got)
	}
	c.post(edit, "seen", again.hidden("seen"), "format", "text", "destination", "https://b.example", "method", "PUT", "content_type", "", "body", "new",
		"headers", "X-New: 1", "cron", "0 6 * * *", "missed", "all").want("Saved.")
	want.Cron, want.Destination, want.Body, want.Options.Method, want.Options.Delay, want.Options.Retries = "0 6 * * *", "https://b.example", []byte("new"), "PUT", 0, nil
	want.Options.Header = qstash.Header{"Authorization": {"s3cret"}, "X-New": {"1"}}
	if got := settings(); !reflect.DeepEqual(got, want) {
		t.Errorf("everything else: %+v", got)
	}
	c.try("/r/" + res.ID + "/schedules/none/edit").is(404)

	created.Options.Redact = &qstash.Redact{Body: true, Headers: true}
	created.Body = []byte("hidden-body")
	_, err = c.qstash.CreateSchedule(t.Context(), res.ID, created)
	c.ok(err)
	p = c.get(edit).want("The body is redacted", "Redacted ones (3)").lacks("hidden-body", "s3cret", "text/plain", "X-Team")
	c.post(edit, "seen", p.hidden("seen"), "format", "text", "destination", "https://a.example", "method", "POST", "cron", "0 3 * * *", "zone", "Europe/Berlin",
		"delay", "90s", "retries", "2", "body", "", "headers", "", "content_type", "").want("Saved.")
	if got := settings(); !reflect.DeepEqual(got, created) {
		t.Errorf("redacted: %+v", got)
	}
}

func TestHostsInTrouble(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	hosts := "/r/" + res.ID + "/hosts"
	c.get(hosts).want("No hosts in trouble")
	none := 0
	for range breaker.DefaultFailures {
		c.publish(res, "https://dead.example:8080/hook", qstash.Options{Retries: &none})
	}
	c.pass(0)
	c.get(hosts).want("dead.example:8080", "Not reached", "nothing is sent", "Try now")
	c.post(hosts+"/dead.example:8080/release").want("are sent again", "No hosts in trouble")
	c.post(hosts + "/dead.example:8080/release").want("toast-bad")
}
