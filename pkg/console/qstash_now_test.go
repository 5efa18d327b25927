package console

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestLogIsFollowed(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	logs := "/r/" + res.ID + "/logs"
	c.get(logs+"?queue=q").want(`data-tail="/console`+logs+`/tail?queue=q"`, `aria-pressed="false"`)
	first := c.get(logs + "/tail").lacks("data:")
	cursor := regexp.MustCompile(`id: (\S+)`).FindStringSubmatch(first.body)
	if cursor == nil || !strings.HasPrefix(first.header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%v %q", first.header, first.body)
	}
	c.publish(res, "https://a.example/<b>", qstash.Options{})
	c.pass(time.Minute)
	c.pass(time.Second)
	c.get(logs + "/tail").lacks("data:") // it begins at the present
	const last = "Last-Event-ID"
	c.send("GET", logs+"/tail", "", last, cursor[1]).is(200).want("data: <li>", "https://a.example/&lt;b&gt;", "Created", "To be repeated")
	c.send("GET", logs+"/tail?queue=q", "", last, cursor[1]).is(200).lacks("data:")
	c.send("GET", logs+"/tail", "", last, "x").is(422)
}

func TestDeliveriesAreFollowed(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	deliveries := "/r/" + res.ID + "/deliveries"
	c.get(deliveries).want("No deliveries yet", `data-tail="/console`+deliveries+`/tail?"`, "data-tail-auto")
	cursor := regexp.MustCompile(`id: (\S+)`).FindStringSubmatch(c.get(deliveries + "/tail").body)
	none := 0
	c.publish(res, "https://ok.example/<hook>?token=s3cret", qstash.Options{Method: "PUT"})
	c.publish(res, "https://closed.example", qstash.Options{})
	c.publish(res, "https://down.example", qstash.Options{Retries: &none})
	id := c.publish(res, "https://later.example", qstash.Options{Delay: time.Hour})
	c.ok(c.qstash.Cancel(t.Context(), res.ID, id))
	c.pass(0)
	want := []string{"PUT https://ok.example/%3Chook%3E?…", "200", "thank you", "Nobody listens on closed.example.", "Again in 12 seconds", "Nothing is sent.", "No further attempt"}
	c.get(deliveries).want(want...).lacks("s3cret", "later.example")
	c.get(deliveries + "?url=https://closed.example").want("closed.example").lacks("ok.example")
	c.pass(2 * time.Second)
	p := c.send("GET", deliveries+"/tail", "", "Last-Event-ID", cursor[1]).is(200).want(want...).lacks("s3cret", "later.example")
	if n := strings.Count(p.body, "data: <li>"); n != 3 {
		t.Errorf("%d rows, want one for each attempt", n)
	}
}

// A page that follows a log is left while its request waits. That is no failure.
func TestWhoLeavesIsNotLogged(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	var log bytes.Buffer
	c.console.log = slog.New(slog.NewTextHandler(&log, nil))
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, "GET", c.server.URL+Base+"/r/"+res.ID+"/deliveries/tail", nil)
	for _, cookie := range c.client.Jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	c.console.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || log.Len() > 0 {
		t.Errorf("status %d, log %q", w.Code, &log)
	}
}

func TestMetrics(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	metrics := "/r/" + res.ID + "/metrics"
	c.get(metrics).want("No attempts in this time", "3 days")
	_, err := c.qstash.CreateSchedule(t.Context(), res.ID, qstash.ScheduleRequest{ID: "nightly", Cron: "0 0 1 1 *", Destination: "https://ok.example"})
	c.ok(err)
	_, err = c.qstash.RunSchedule(t.Context(), res.ID, "nightly")
	c.ok(err)
	c.publish(res, "https://ok.example/a", qstash.Options{Queue: "emails"})
	c.publish(res, "https://down.example:8443", qstash.Options{Flow: &qstash.Flow{Key: "crm", Rate: 1}})
	c.publish(res, "https://ok.example/w", qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", URL: "https://ok.example/w", Init: true}})
	c.pass(0)
	c.get(metrics).want("for 4 messages", "75.0 %", "0 other answers, 1 without one", "Waited here, p50",
		"/logs?queue=emails", "/logs?schedule=nightly", "down.example:8443", "crm", "https://ok.example/w", "Destination hosts", "Flow control keys")
	c.pass(2 * time.Hour)
	c.get(metrics + "?period=1h").lacks("emails")
	c.get(metrics + "?period=all").want("emails")
}

func TestMessagesRunsAndSchedulesRunNow(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	base := "/r/" + res.ID
	id := c.publish(res, "https://a.example", qstash.Options{Delay: time.Hour})
	c.get(base + "/messages/" + id).want("Send now")
	c.post(base + "/messages/" + id + "/retry").want("The next attempt is made now.").lacks("Send now")
	c.pass(0)
	c.get(base+"/messages/"+id).want("Not delivered", "Send now")
	c.ok(c.qstash.Cancel(t.Context(), res.ID, id))
	c.post(base + "/messages/" + id + "/retry").want("It has finished already")

	_, err := c.qstash.CreateSchedule(t.Context(), res.ID, qstash.ScheduleRequest{ID: "s", Cron: "0 0 1 1 *", Destination: "https://s.example", Missed: qstash.MissedOnce})
	c.ok(err)
	c.get(base+"/schedules/s").want("Run now", "The last one is made up for")
	c.post(base+"/schedules/s/run").want("This message of the schedule is on its way.", "https://s.example")

	c.publish(res, "https://w.example", qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", Init: true, Deadline: time.Hour}, RetryDelay: "600000"})
	c.pass(0)
	c.get(base+"/runs/wfr_1").want("Retry now", "Deadline")
	c.post(base + "/runs/wfr_1/retry").want("What waits for a retry is sent now.")
	c.post(base + "/runs/wfr_1/retry").want("Nothing of it waits for a retry.")
}
