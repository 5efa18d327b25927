package attack

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// One request makes a bounded number of messages, also through groups; loops end.
func testQStash(a *target) {
	bearer := []string{"Authorization", "Bearer " + a.qstash()}
	var endpoints []map[string]string
	for i := range 100 {
		endpoints = append(endpoints, map[string]string{"url": fmt.Sprintf("http://127.0.0.1:9/%d", i)})
	}
	if r := a.send("POST", a.qstashURL()+"/v2/topics/group/endpoints", encode(a.T, map[string]any{"endpoints": endpoints}), bearer...); r.status >= 300 {
		a.Fatalf("making a group: %s", r)
	}
	batch := func(n int) []byte {
		var items []map[string]any
		for range n {
			items = append(items, map[string]any{"destination": "group", "body": "x"})
		}
		return encode(a.T, items)
	}
	for _, n := range []int{11, 1000, 10_000} {
		if r := a.send("POST", a.qstashURL()+"/v2/batch", batch(n), bearer...); r.status != http.StatusRequestEntityTooLarge {
			a.Errorf("a batch of %d to a group of 100 is answered %s", n, r)
		}
	}
	if r := a.send("POST", a.qstashURL()+"/v2/batch", []byte("["+strings.TrimSuffix(strings.Repeat("{},", 300_000), ",")+"]"), bearer...); r.status < 400 || r.status >= 500 {
		a.Errorf("a batch of nothing is answered %s", r)
	}
	if r := a.send("POST", a.qstashURL()+"/v2/batch", []byte(strings.Repeat(`[{"a":`, 200_000)), bearer...); r.status < 400 || r.status >= 500 {
		a.Errorf("a deep batch is answered %s", r)
	}
	bomb := a.zip(`[{"destination":"https://example.com","body":"` + strings.Repeat("x", 50_000_000) + `"}]`)
	if r := a.send("POST", a.qstashURL()+"/v2/batch", bomb, append([]string{"Content-Encoding", "gzip"}, bearer...)...); r.status != http.StatusRequestEntityTooLarge {
		a.Errorf("a batch of %d bytes that stand for 50 MB is answered %s", len(bomb), r)
	}
	for _, destination := range []string{
		"ftp://example.com", "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "http://", "http:///x", "javascript:alert(1)", "http://[::1", "http://user:pass@",
		"http://a b/", "http://\u00adexample", "http://127.0.0.1:99999/", "//example.com/x", "http://example.com\\@127.0.0.1/",
	} {
		r := a.send("POST", a.qstashURL()+"/v2/publish/"+strings.ReplaceAll(destination, " ", "%20"), nil, bearer...)
		if r.status >= 500 || r.status < 300 && !strings.HasPrefix(destination, "http://") {
			a.Errorf("destination %s is answered %s", destination, r)
		}
	}
}

// Messages whose destination is QStash itself end, however they multiply, and others are delivered meanwhile.
func testLoops(a *target) {
	bearer := []string{"Authorization", "Bearer " + a.qstash(), "Upstash-Retries", "0"}
	here := newReceiver(a.T)
	self := a.qstashURL() + "/v2/publish/doubles"
	token := "?upstash-retries=0&qstash_token=" + url.QueryEscape(a.qstash())
	if r := a.send("POST", a.qstashURL()+"/v2/topics/doubles/endpoints", encode(a.T, map[string]any{"endpoints": []map[string]string{{"url": self + token + "&1"}, {"url": self + token + "&2"}, {"url": here.url + "/each"}}}), bearer...); r.status >= 300 {
		a.Fatalf("making a group: %s", r)
	}
	forward := append([]string{"Upstash-Forward-Authorization", "Bearer " + a.qstash(), "Upstash-Forward-Upstash-Retries", "0"}, bearer...)
	// The field that counts deliveries is not the publisher's to set.
	for _, forged := range [][]string{nil, {"Upstash-Forward-Upstash-Skystash-Hops", "1;messages=1"}, {"Upstash-Forward-Upstash-Skystash-Hops", "-5;messages=0"}} {
		if r := a.send("POST", self, []byte("x"), append(forged, forward...)...); r.status >= 500 {
			a.Errorf("the first message of a loop is answered %s", r)
		}
	}
	for _, path := range []string{"/v2/publish/" + a.qstashURL() + "/v2/publish/" + self, "/v2/enqueue/q/" + self} {
		a.send("POST", a.qstashURL()+path, []byte("x"), forward...)
	}
	if r := a.send("POST", a.qstashURL()+"/v2/publish/"+here.url+"/other", []byte("x"), bearer...); r.status >= 300 {
		a.Errorf("another message is answered %s", r)
	}
	refused := func() int {
		r := a.send("GET", a.qstashURL()+"/v2/dlq?count=100&responseStatus=489", nil, bearer...)
		return strings.Count(r.body, "loop detected")
	}
	// Of each of the five come at most 1,000 messages, most of which are to QStash itself.
	const most = 5 * 1000
	for seen, same := 0, 0; same < 10; same++ { // until nothing comes any more
		if now := here.count(); now != seen || refused() == 0 {
			seen, same = now, 0
		}
		if seen > most {
			a.Fatalf("%d messages were delivered: it does not end", seen)
		}
		select {
		case <-a.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	if !here.received("/each") || !here.received("/other") {
		a.Error("messages to others were not delivered")
	}
}

// A publisher makes no destination believe that a delivery is another than it is, and no field that cannot be sent
// is accepted.
func testForgedDeliveries(a *target) {
	bearer := []string{"Authorization", "Bearer " + a.qstash(), "Upstash-Retries", "0"}
	var mu sync.Mutex
	got := map[string]http.Header{}
	here := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path] = r.Header
	}))
	defer here.Close()
	fields := []string{"Upstash-Schedule-Id", "Upstash-Message-Id", "Upstash-Signature", "Upstash-Retried", "Upstash-Topic-Name", "Upstash-Caller-Ip", "Upstash-Skystash-Hops", "User-Agent", "Upstash-Region"}
	accepted := map[string]string{}
	for i, field := range fields {
		path := fmt.Sprintf("/field/%d", i)
		r := a.send("POST", a.qstashURL()+"/v2/publish/"+here.URL+path, []byte("x"), append([]string{"Upstash-Forward-" + field, "spoofed"}, bearer...)...)
		if r.status < 300 {
			accepted[path] = field
		} else if r.status >= 500 {
			a.Errorf("forwarding %s is answered %s", field, r)
		}
	}
	delivered := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) >= len(accepted)
	}
	for range 200 {
		if delivered() {
			break
		}
		select {
		case <-a.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	if !delivered() {
		a.Errorf("of %d messages, %d were delivered", len(accepted), len(got))
	}
	mu.Lock()
	defer mu.Unlock()
	for path, field := range accepted {
		if v := got[path].Values(field); strings.Contains(strings.Join(v, " "), "spoofed") {
			a.Errorf("a delivery has %s: %q", field, v)
		}
	}
	for _, field := range []string{"X%20Y", "X%3AY", "(x)", "%C3%9Cmlaut"} {
		for _, way := range []string{"upstash-forward-", "upstash-callback-forward-"} {
			if r := a.send("POST", a.qstashURL()+"/v2/publish/"+here.URL+"/never?upstash-callback="+url.QueryEscape(here.URL)+"&"+way+field+"=v", nil, bearer...); r.status != http.StatusBadRequest {
				a.Errorf("a field %s%s is answered %s", way, field, r)
			}
		}
	}
	for _, value := range []string{"a%0D%0AInjected:%20b", "a%0Ab", "a%00b", "%1B[2J", "a%7Fb"} {
		if r := a.send("POST", a.qstashURL()+"/v2/publish/"+here.URL+"/never?upstash-forward-x="+value, nil, bearer...); r.status != http.StatusBadRequest {
			a.Errorf("a value %s is answered %s", value, r)
		}
	}
	r := a.send("POST", a.qstashURL()+"/v2/batch", encode(a.T, []any{map[string]any{"destination": here.URL + "/never", "headers": map[string]string{"Upstash-Forward-X": "a\r\nInjected: b"}}}), bearer...)
	if strings.Contains(r.body, "messageId") {
		a.Errorf("a value with a line break in a batch is answered %s", r)
	}
	if _, ok := got["/never"]; ok {
		a.Error("a message with such a field was delivered")
	}
}
