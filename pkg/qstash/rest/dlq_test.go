package rest_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"
)

// Dead letters are listed, retried and deleted by the same filters, which the clients send in the query.
func TestDeadLettersByFilters(t *testing.T) {
	s := newService(t)
	s.status = 503
	publish := func(path string, header ...string) {
		t.Helper()
		s.ok(nil, "POST", path, "x", append(header, "Upstash-Retries: 0")...)
	}
	s.ok(nil, "POST", "/v2/topics/group/endpoints", `{"endpoints":[{"url":"https://g.example"}]}`)
	publish("/v2/publish/https://a.example", "Upstash-Label: one", "Upstash-Flow-Control-Key: k", "Upstash-Flow-Control-Value: parallelism=5")
	publish("/v2/publish/https://b.example", "Upstash-Label: two")
	publish("/v2/publish/group")
	publish("/v2/enqueue/q/https://c.example")
	const all = 4
	var list struct {
		Messages []struct{ DLQID, MessageID, URL string }
		Cursor   string
	}
	for deadline := time.Now().Add(time.Minute); len(list.Messages) < all; s.ok(&list, "GET", "/v2/dlq", "") {
		if time.Now().After(deadline) {
			t.Fatalf("%d dead letters", len(list.Messages))
		}
	}
	first := list.Messages[0]
	filters := map[string][]string{ // and the hosts that they select
		"label=one":           {"a"},
		"label=one&label=two": {"a", "b"},
		"url=" + url.QueryEscape("https://b.example"): {"b"},
		"topicName=group":                       {"g"},
		"queueName=q":                           {"c"},
		"flowControlKey=k":                      {"a"},
		"responseStatus=503":                    {"a", "b", "c", "g"},
		"responseStatus=404&responseStatus=503": {"a", "b", "c", "g"},
		"responseStatus=404":                    nil,
		"fromDate=1&toDate=2":                   nil,
		"callerIp=127.0.0.1":                    {"a", "b", "c", "g"},
		"label=two&queueName=q":                 nil,
		"messageId=" + first.MessageID:          {first.URL[8:9]},
		"dlqIds=" + first.DLQID:                 {first.URL[8:9]},
	}
	for filter, want := range filters {
		list.Messages = nil
		s.ok(&list, "GET", "/v2/dlq?"+filter, "")
		var got []string
		for _, m := range list.Messages {
			got = append(got, m.URL[8:9])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s selects %v, want %v", filter, got, want)
		}
	}
	s.mu.Lock()
	s.status = 200
	s.mu.Unlock()
	var retried struct {
		Responses []struct{ MessageID string }
		Cursor    string
	}
	s.ok(&retried, "POST", "/v2/dlq/retry?label=one&label=two&count=1", "")
	if len(retried.Responses) != 1 || retried.Cursor == "" {
		t.Errorf("retried %+v, want one and a cursor", retried)
	}
	s.ok(&retried, "POST", "/v2/dlq/retry?label=one&label=two&count=1&cursor="+url.QueryEscape(retried.Cursor), "")
	if len(retried.Responses) != 1 {
		t.Errorf("retried %+v, want the other one", retried)
	}
	var deleted struct{ Deleted int }
	for _, c := range []struct {
		filter string
		want   int
	}{{"label=one", 0}, {"queueName=q", 1}, {"count=100", 1}} {
		s.ok(&deleted, "DELETE", "/v2/dlq?"+c.filter, "")
		if deleted.Deleted != c.want {
			t.Errorf("%s deletes %d, want %d", c.filter, deleted.Deleted, c.want)
		}
	}
	if s.ok(&list, "GET", "/v2/dlq", ""); fmt.Sprint(list.Messages) != "[]" {
		t.Errorf("left are %v", list.Messages)
	}
}
