package rest_test

import (
	"testing"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/breaker"
)

func TestHostsInTroubleAreListedAndReleased(t *testing.T) {
	s := newService(t)
	var hosts []qstash.Host
	s.ok(&hosts, "GET", "/v2/hosts", "")
	if len(hosts) != 0 {
		t.Fatalf("hosts %+v", hosts)
	}
	s.status = -1 // nobody answers
	for range breaker.DefaultFailures {
		s.ok(nil, "POST", "/v2/publish/http://Dead.example:81/", "", "Upstash-Retries: 0")
		s.delivery()
	}
	for len(hosts) == 0 { // the last outcome may still be being recorded
		s.ok(&hosts, "GET", "/v2/hosts/", "")
	}
	if h := hosts[0]; h.Name != "dead.example:81" || !h.Open || h.Error != "nobody answers" || h.NextProbe <= h.Since || h.Pause != 1000 {
		t.Errorf("host %+v", h)
	}
	s.refused(405, "method not allowed", "POST", "/v2/hosts", "")
	s.ok(nil, "DELETE", "/v2/hosts/dead.example:81", "")
	s.refused(404, "no attempts to dead.example:81 are held", "DELETE", "/v2/hosts/dead.example:81", "")
}

func TestMetricsTellWaitingFromTheDestinationsTime(t *testing.T) {
	s := newService(t)
	s.ok(nil, "POST", "/v2/enqueue/q/https://a.example/", "")
	s.delivery()
	var list []map[string]any
	for len(list) == 0 || list[0]["delivered"] != 1.0 { // the outcome may still be being recorded
		s.ok(&list, "GET", "/v2/metrics?fromDate=1", "")
	}
	if len(list) != 3 || list[0]["kind"] != "all" || list[1]["kind"] != "host" || list[1]["name"] != "a.example" ||
		list[2]["kind"] != "queue" || list[2]["name"] != "q" || list[2]["lag"] == nil || list[2]["endpointTime"] == nil {
		t.Errorf("metrics %v", list)
	}
	s.refused(400, `unknown filter "queue"`, "GET", "/v2/metrics?queue=q", "")
	s.refused(405, "method not allowed", "POST", "/v2/metrics", "")
}
