package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
)

var pathValue = regexp.MustCompile(`\{(\w+)\}`)

// What a resource holds is nobody else's: no page of a resource's data answers another account or a
// visitor with anything, nor does anything it could do, and pages of other products are not there.
func TestDataOfAnotherAccountIsNotThere(t *testing.T) {
	c := newTest(t)
	db, cluster, jobs := c.createDatabase("mine-redis"), c.createCluster("mine-kafka"), c.createQStash("mine-qstash")
	c.command(db, "set secret-key secret-value")
	kc, err := c.kafka.Cluster(t.Context(), cluster.ID)
	c.ok(err)
	_, err = c.kafka.CreateTopic(t.Context(), kc, "secret-topic", kafka.TopicOptions{})
	c.ok(err)
	c.produce(cluster, kafka.NewMessage{Topic: "secret-topic", Timestamp: -1, Value: []byte("secret-value")})
	message := c.publish(jobs, "https://secret-host.example", qstash.Options{Queue: "secret-queue"})
	c.ok(c.qstash.AddEndpoints(t.Context(), jobs.ID, "secret-group", []qstash.Endpoint{{URL: "https://secret-host.example"}}))
	schedule, err := c.qstash.CreateSchedule(t.Context(), jobs.ID, qstash.ScheduleRequest{Cron: "* * * * *", Destination: "https://secret-host.example"})
	c.ok(err)

	run := "wfr_secret"
	c.publish(jobs, "https://secret-host.example/workflow", qstash.Options{Workflow: &qstash.Workflow{RunID: run, Init: true}})

	of := map[control.Product]*control.Resource{control.Redis: db, control.Kafka: cluster, control.QStash: jobs}
	values := map[string]string{"topic": "secret-topic", "group": "secret-group", "message": message, "schedule": schedule, "queue": "secret-queue", "run": run}
	query := url.Values{"key": {"secret-key"}, "element": {"0"}, "partition": {"0"}, "offset": {"0"}}.Encode()
	form := []string{"line", "flushall", "confirmed", "1", "name", "c2VjcmV0LWtleQ", "confirm", "secret-topic", "value", "x", "paused", "1", "all", "1"}

	_, other := c.otherAccount("other@example.com")
	other.get("/")
	visitor := c.newBrowser()
	visitor.try("/sign-in")
	// Another account's own resource does not open what is in ours either.
	theirs := map[control.Product]*control.Resource{}
	acct, err := c.control.EnsureAccount(t.Context(), "other@example.com", false)
	c.ok(err)
	for product, create := range map[control.Product]func() (*control.Resource, error){
		control.Redis: func() (*control.Resource, error) {
			return c.control.CreateDatabase(t.Context(), acct.ID, control.CreateOptions{Name: "theirs"})
		},
		control.Kafka: func() (*control.Resource, error) {
			return c.control.CreateCluster(t.Context(), acct.ID, control.CreateOptions{Name: "theirs"})
		},
		control.QStash: func() (*control.Resource, error) {
			return c.control.CreateQStash(t.Context(), acct.ID, control.CreateOptions{Name: "theirs"})
		},
	} {
		theirs[product], err = create()
		c.ok(err)
	}

	seen := 0
	for _, p := range c.console.pages {
		if !p.ofResource() || p.product == "" {
			continue // those are tested where they are
		}
		seen++
		path := func(res *control.Resource) string {
			return pathValue.ReplaceAllStringFunc(p.path(), func(name string) string {
				if name == "{id}" {
					return res.ID
				}
				return values[strings.Trim(name, "{}")]
			}) + "?" + query
		}
		send := func(b *browser, path string) *answer {
			if p.method() == http.MethodGet {
				return b.try(path)
			}
			return b.post(path, form...)
		}
		// A refused POST goes back with a toast; there is nothing of ours on that page.
		a := send(other, path(of[p.product]))
		if p.method() == http.MethodGet && a.status != http.StatusNotFound {
			t.Errorf("%s: status %d for another account", p.route, a.status)
		}
		a.lacks("secret-value", "secret-host")
		if a := other.htmx(p.method(), strings.TrimSuffix(path(of[p.product]), "?"+query), form...); a.status != http.StatusNotFound {
			t.Errorf("%s: status %d for another account's htmx", p.route, a.status)
		}
		send(other, path(theirs[p.product])).lacks("secret-value", "secret-host")
		if a := send(visitor, path(of[p.product])); a.status < 400 && !strings.HasPrefix(a.path, "/sign-in") {
			t.Errorf("%s: a visitor gets %s with status %d", p.route, a.path, a.status)
		}
		for product, res := range of {
			if product == p.product || p.method() != http.MethodGet {
				continue
			}
			c.try(path(res)).is(http.StatusNotFound)
		}
	}
	if seen < 40 {
		t.Errorf("only %d pages were tried", seen)
	}
	// Nothing was done.
	if got := c.command(db, "get secret-key"); got != `"secret-value"` {
		t.Errorf("the key is %s", got)
	}
	if topics, err := c.kafka.Topics(t.Context(), kc); err != nil || len(topics) != 1 {
		t.Errorf("topics %v, %v", topics, err)
	}
	queue, err := c.qstash.Queue(t.Context(), jobs.ID, "secret-queue")
	c.ok(err)
	list, err := c.qstash.Schedules(t.Context(), jobs.ID)
	c.ok(err)
	groups, err := c.qstash.Groups(t.Context(), jobs.ID)
	c.ok(err)
	if runs, _, err := c.qstash.Runs(t.Context(), jobs.ID, qstash.RunFilter{}, "", 10); err != nil || len(runs) != 1 || runs[0].State != runStarted {
		t.Errorf("runs %+v, %v", runs, err)
	}
	if queue.Paused || queue.Lag != 1 || len(list) != 1 || list[0].Paused || !slices.ContainsFunc(groups, func(g *qstash.Group) bool { return g.Name == "secret-group" }) {
		t.Errorf("queue %+v, schedules %+v, groups %+v", queue, list, groups)
	}
}
