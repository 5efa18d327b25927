package console

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// A run that waits for an event says so, and what for and until when, and can be told.
func TestARunThatWaitsIsNotified(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	const url = "https://app.example/workflow"
	c.publish(res, url, qstash.Options{Delay: time.Hour, Workflow: &qstash.Workflow{RunID: "wfr_waits", URL: url, Init: true}})
	runs := "/r/" + res.ID + "/runs"
	c.get(runs).want("Running").lacks("Waiting for an event")
	c.ok(c.qstash.Wait(t.Context(), res.ID, "parcel-7", qstash.WaitRequest{
		RunID: "wfr_waits", URL: url, TimeoutURL: url, Timeout: 90 * time.Minute,
		Step: []byte(`{"stepId":1,"stepName":"wait for the parcel","stepType":"Wait","concurrent":1}`),
	}))
	c.get(runs).want("Waiting for an event")
	c.get(runs+"/wfr_waits").want("Waiting for an event", "parcel-7", "in 1 hour", "24 Nov 2026, 13:30", "Notify…", "Waterfall", "wait for the parcel")
	c.post(runs+"/wfr_waits/notify", "event", "parcel-7", "data", "{").want("is no JSON")
	c.post(runs+"/wfr_waits/notify", "event", "other").want("does not wait for other now")
	c.post(runs+"/wfr_waits/notify", "event", "parcel-7", "data", `{"at":"door"}`).want("goes on with parcel-7").lacks("Notify…", "Waits for event")
	c.get(runs).lacks("Waiting for an event")
}

func TestWaterfalls(t *testing.T) {
	begin := time.Unix(1000, 0)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	done := func(name string, end int) runStep {
		return runStep{Name: name, Badge: badgeOf("STEP_SUCCESS"), At: at(end), Done: true}
	}
	beside := func(s runStep) runStep { s.Parallel = true; return s }
	sleeps := done("sleep", 40)
	sleeps.Wakes = at(60)
	waits := runStep{Name: "wait", At: at(60), Event: "e", Badge: stateBadge{"Waiting", "warn"}}
	steps := []runStep{done("Started", 0), done("a", 10), beside(done("b", 20)), beside(done("c", 40)), sleeps, waits}
	var got []string
	for _, b := range waterfall(steps, begin, time.Time{}, at(100)) {
		got = append(got, fmt.Sprint(b.Name, " ", b.X, "+", b.Width, " ", b.Took, " ", b.Going, " ", b.Long))
	}
	want := []string{
		"Started 0+4 0 ms false false", "a 0+100 10.0 s false false", "b 100+100 10.0 s false false", "c 100+300 30.0 s false false",
		"sleep 400+200 20.0 s false true", "wait 600+400 40.0 s true true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	ended := waterfall([]runStep{done("Started", 0), done("a", 500)}, begin, at(100), at(1000))
	if b := ended[1]; b.X+b.Width > 1000 || b.Going {
		t.Errorf("a step behind the end of its run: %+v", b)
	}
}

func TestFlowControl(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	flows := "/r/" + res.ID + "/flow-control"
	c.get(flows).want("No keys yet")
	c.publish(res, "https://ok.example/a", qstash.Options{Delay: time.Hour, Flow: &qstash.Flow{Key: "user/7 <b>", Parallelism: 2, Rate: 5, Period: time.Minute}})
	c.pass(2 * time.Hour)
	c.get(flows).want("user/7 &lt;b&gt;", "of 2", "of 5", "1 min")
	key := flows + "/user%2F7%20%3Cb%3E"
	c.post(key+"/pause", "paused", "1").want("Paused: messages", "Resume")
	c.post(key + "/pause").want("are sent again")
	c.post(key+"/pin", "parallelism", "0").want("whole numbers")
	c.post(key+"/pin", "parallelism", "9").want("are pinned", "of 9", "Pinned", "Unpin")
	c.post(key + "/unpin").want("sets its limits").lacks("Pinned")
	c.post(key + "/reset").want("begins anew")
	c.post(flows + "/none/pause").lacks("are sent again")
	c.get(flows).lacks("none</th>")
}

func TestLogsAreFilteredAndGrouped(t *testing.T) {
	c := newTest(t)
	res := c.createQStash("jobs")
	none := 0
	c.publish(res, "https://ok.example/orders/7?x=1", qstash.Options{Labels: []string{"red"}})
	c.publish(res, "https://down.example/mail", qstash.Options{Retries: &none, Labels: []string{"blue"}})
	c.pass(time.Minute)
	logs := "/r/" + res.ID + "/logs"
	for query, want := range map[string]string{
		"url=orders/7": "ok", "url=/mail": "down", "label=red": "ok", "label=blue": "down", "host=down.example": "down", "answer=2xx": "ok", "answer=200": "ok",
		"url=nowhere": "", "answer=404": "", "to=2026-11-24T11:00": "", "from=2026-11-24T11:00&url=mail": "down", "group=message&label=red": "ok", "group=message&answer=5xx": "",
	} {
		page := c.get(logs + "?" + query)
		for _, host := range []string{"ok", "down"} {
			if got := strings.Contains(page.body, "https://"+host+".example/"); got != (want == host) {
				t.Errorf("%s: %s is shown: %v", query, host, got)
			}
		}
	}
	c.get(logs+"?group=message").want("3 events", `aria-current="true">By message`)
	for _, query := range []string{"answer=x", "answer=99", "from=today"} {
		c.try(logs + "?" + query).is(400)
	}
}
