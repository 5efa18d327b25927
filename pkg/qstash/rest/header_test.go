package rest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A message whose header fields no request can carry would be accepted, fail with every attempt, and end among the
// dead letters.
func TestFieldsThatCannotBeSentAreRefusedAtOnce(t *testing.T) {
	s := newService(t)
	const to = "/v2/publish/https://example.com/"
	s.ok(nil, "POST", "/v2/topics/group/endpoints", `{"endpoints":[{"url":"https://example.com/"}]}`)
	batch := func(name, value string) string {
		text, err := json.Marshal([]any{map[string]any{"destination": "https://example.com/", "headers": map[string]string{name: value}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, value := range map[string]string{
		"X Y": "v", "X:Y": "v", "X\r\nY": "v", "Ümlaut": "v", "(x)": "v",
		"A": "a\r\nInjected: b", "B": "a\nb", "C": "a\x00b", "D": "a\x7fb", "E": "\x1b[2J",
	} {
		for _, prefix := range []string{"Upstash-Forward-", "upstash-forward-", "Upstash-Callback-Forward-", "Upstash-Failure-Callback-Forward-", "Upstash-Callback-Failure-Callback-Forward-"} {
			body := batch(prefix+name, value)
			if callback := strings.TrimSuffix(prefix, "-Forward-"); callback != "Upstash" && callback != "upstash-forward-" {
				first := "https://cb.example/"
				body = strings.Replace(body, `"headers":{`, `"headers":{"`+callback+`":"`+first+`","Upstash-Callback":"`+first+`",`, 1)
			}
			status, answer := s.do("POST", "/v2/batch", body)
			if status != 200 || !strings.Contains(answer, "header") || strings.Contains(answer, "messageId") {
				t.Errorf("%q: %q in a batch is answered %d %s", prefix+name, value, status, answer)
			}
		}
		text, err := json.Marshal(map[string]any{"headers": map[string]string{"Upstash-Forward-" + name: value}})
		if err != nil {
			t.Fatal(err)
		}
		s.refused(400, "header", "PATCH", "/v2/topics/group", string(text))
		s.refused(400, "header", "PATCH", "/v2/topics/group", strings.ToLower(string(text)))
	}
	s.refused(400, `invalid header name`, "POST", to+"?upstash-forward-x%20y=v", "")
	s.refused(400, `invalid value for header X: control character '\n'`, "POST", to+"?upstash-forward-x=a%0ab", "")
	s.refused(400, "header", "POST", "/v2/schedules/https://example.com/?upstash-cron=*%20*%20*%20*%20*&upstash-forward-x=a%0db", "")
	s.refused(400, "header", "POST", "/v2/schedules/https://example.com/?upstash-cron=*%20*%20*%20*%20*&upstash-callback=https://cb.example/&upstash-callback-forward-x=a%0db", "")
	s.refused(413, "limit 65536 bytes", "POST", to, "", "Upstash-Callback: https://cb.example/", "Upstash-Callback-Forward-X: "+strings.Repeat("x", 65<<10))
	for _, url := range []string{"https://example.com:0/", "https://example.com:65536/", "https://example.com:123456/"} {
		s.refused(400, "not a valid url", "POST", "/v2/publish/"+url, "")
	}
	s.ok(nil, "POST", "/v2/publish/https://example.com:65535/", "")
	if got := s.delivery(); got.URL != "https://example.com:65535/" {
		t.Errorf("delivered %+v", got)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sent) > 0 {
		t.Errorf("delivered %+v", s.sent)
	}
}

func TestValuesAreDeliveredAsUTF8(t *testing.T) {
	s := newService(t)
	const to = "/v2/publish/https://example.com/"
	for sent, want := range map[string]string{
		"plain\ttext":    "plain\ttext",
		"grüße ✓":        "grüße ✓",
		"gr\xfc\xdfe":    "grüße", // what fetch makes of the same text
		"\xe9t\xe9 \x80": "été \u0080",
	} {
		s.ok(nil, "POST", to, "", "Upstash-Forward-X: "+sent)
		if got := s.delivery().Header.Get("X"); got != want {
			t.Errorf("%q is delivered as %q, want %q", sent, got, want)
		}
	}
	s.ok(nil, "POST", "/v2/batch", `[{"destination":"https://example.com/","headers":{"Upstash-Forward-X":"grüße"}}]`)
	if got := s.delivery().Header.Get("X"); got != "grüße" {
		t.Errorf("of a batch: %q", got)
	}
}

// A destination goes by what QStash says of a delivery, such as the schedule that it is of.
func TestPublishersDoNotForgeWhatDeliveriesSay(t *testing.T) {
	r := newRing(t)
	var forged []string
	for _, name := range []string{"Message-Id", "Retried", "Region", "Schedule-Id", "Topic-Name", "Caller-Ip", "Signature", "Skystash-Hops"} {
		forged = append(forged, "Upstash-Forward-Upstash-"+name, "forged", "Upstash-Callback-Forward-upstash-"+strings.ToLower(name), "forged")
	}
	forged = append(forged, "Upstash-Forward-User-Agent", "forged", "Upstash-Forward-X", "mine", "Upstash-Callback-Forward-X", "mine", "Upstash-Callback", "https://cb.example/")
	r.ok("POST", "/v2/publish/https://example.com/", "", forged...)
	r.run(time.Hour)
	if len(r.others) != 2 {
		t.Fatalf("%d deliveries", len(r.others))
	}
	for _, d := range r.others {
		var names []string
		for name, values := range d.Header {
			names = append(names, name)
			if slices.Contains(values, "forged") {
				t.Errorf("%s gets %s: %q", d.URL, name, values)
			}
		}
		for _, name := range []string{"Upstash-Schedule-Id", "Upstash-Topic-Name"} {
			if slices.ContainsFunc(names, func(n string) bool { return http.CanonicalHeaderKey(n) == name }) {
				t.Errorf("%s gets %s, though it comes from no such thing", d.URL, name)
			}
		}
		if d.Header.Get("X") != "mine" || d.Header.Get("Upstash-Message-Id") == "" {
			t.Errorf("%s gets %v", d.URL, d.Header)
		}
	}
}
