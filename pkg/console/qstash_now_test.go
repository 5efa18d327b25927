package console

import (
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
