package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// inside are hosts of private networks, in the ways there are to write them. The local server allows its own
// machine, so they are of other networks.
var inside = []string{
	// IPv4: private networks, metadata services, carriers' networks, benchmarks, documentation, multicast, reserved.
	"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.127.255.254", "198.18.0.1", "192.0.0.8", "192.0.2.1",
	"198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "0.0.0.0", "0.1.2.3",
	// The same as one number, in octal, in hexadecimal, in fewer parts, in other digits, with a dot, escaped.
	"167772161", "2852039166", "0xa9fea9fe", "0x0a.0.0.1", "0x0a000001", "0251.0376.0251.0376", "012.0.0.1", "10.1", "10.0.1", "169.254.43518", "10.0.0.1.", "①⓪.⓪.⓪.①", "１０.0.0.1", "10。0。0。1", "%31%30.0.0.1",
	// IPv6: unspecified, local to a link, to a site, private, multicast, documentation, discarded.
	"[::]", "[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[5f00::1]",
	// IPv4 within IPv6: mapped, compatible, translated (SIIT), NAT64, NAT64 of a network's own in the layouts of
	// RFC 6052, 6to4, Teredo, ISATAP with both of its forms.
	"[::ffff:10.0.0.1]", "[::ffff:a00:1]", "[::ffff:169.254.169.254]", "[::10.0.0.1]", "[::a9fe:a9fe]", "[::ffff:0:10.0.0.1]", "[::ffff:0:a9fe:a9fe]", "[::ffff:0:127.0.0.1]",
	"[64:ff9b::10.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:1]", "[64:ff9b:1:a00:0:100::]", "[64:ff9b:1:a9fe:a9:fe00::]", "[64:ff9b:1:7f00:0:100::]", "[64:ff9b:1:ab0a::1:0:0]",
	"[2002:a00:1::]", "[2002:a9fe:a9fe::1]", "[2002:7f00:1::1]", "[2001:0:4136:e378:8000:63bf:f5ff:fffe]", "[2a00:1450::5efe:a00:1]", "[2a00:1450::200:5efe:a9fe:a9fe]", "[fe80::5efe:10.0.0.1]",
}

// refusal is what the publisher is told: one text for addresses, and one for names, whether there are such or not.
var refusal = regexp.MustCompile(`^destination host \S+ is not allowed$|^unable to resolve host: lookup \S+: no such host, or none that is allowed$`)

// receiver is a server that answers deliveries, and remembers for which paths.
type receiver struct {
	url string
	mu  sync.Mutex
	got []string
}

func (r *receiver) received(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.got {
		if p == path {
			return true
		}
	}
	return false
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.url = serve(t, http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		r.mu.Lock()
		r.got = append(r.got, hr.URL.Path)
		r.mu.Unlock()
		io.Copy(io.Discard, hr.Body)
		switch {
		case strings.HasPrefix(hr.URL.Path, "/redirect/"):
			w.Header().Set("Location", hr.URL.Query().Get("to"))
			w.WriteHeader(http.StatusTemporaryRedirect)
		case hr.URL.Path == "/fails":
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	return r
}

// testSSRF sends messages to places inside of networks, in all the ways that a destination can be given. None
// gets there, and what the publisher learns is the same for all of them.
func testSSRF(a *target) {
	bearer := []string{"Authorization", "Bearer " + a.qstash(), "Upstash-Retries", "0", "Upstash-Callback-Retries", "0", "Upstash-Failure-Callback-Retries", "0"}
	send := func(path, body string, header ...string) answer {
		a.Helper()
		return a.send("POST", a.qstashURL()+"/v2"+path, []byte(body), append(header, bearer...)...)
	}
	want := map[string]bool{} // URLs that a message was accepted for
	ok := func(destination string, r answer) {
		a.Helper()
		if r.status >= 300 {
			a.Fatalf("a message for %s is answered %s", destination, r)
		}
		want[destination] = true
	}
	for i, host := range inside {
		destination := fmt.Sprintf("http://%s:81/form/%d", host, i)
		r := a.send("POST", a.qstashURL()+"/v2/publish/"+url.PathEscape(destination), nil, bearer...)
		if r.status < 300 {
			want[destination] = true
		} else if r.status >= 500 {
			a.Errorf("%s is answered %s", destination, r)
		}
	}
	if len(want) < len(inside)-10 {
		a.Errorf("only %d of %d forms are accepted, so that their refusal can be seen", len(want), len(inside))
	}

	// Each way, with addresses that show which it was.
	here, n := newReceiver(a.T), 0
	private := func(way string) string {
		n++
		return fmt.Sprintf("http://10.11.12.%d:81/%s", n, way)
	}
	publish := func(destination string, header ...string) {
		ok(destination, send("/publish/"+destination, "x", header...))
	}
	publish(private("publish"))
	publish(strings.Replace(private("https"), "http:", "https:", 1))
	d := private("enqueue")
	ok(d, send("/enqueue/queue/"+d, "x"))
	d = private("batch")
	ok(d, send("/batch", `[{"destination":"`+d+`","headers":{"Upstash-Retries":"0"},"body":"x"}]`))
	d = private("batch-queue")
	ok(d, send("/batch", `[{"destination":"`+d+`","queue":"other","headers":{"Upstash-Retries":"0"},"body":"x"}]`))
	d = private("group")
	if r := send("/topics/inside/endpoints", `{"endpoints":[{"url":"`+d+`"},{"url":"`+here.url+`/group"}]}`); r.status >= 300 {
		a.Fatalf("a group is answered %s", r)
	}
	ok(d, send("/publish/inside", "x"))
	d = private("schedule")
	schedule := send("/schedules/"+d, "x", "Upstash-Cron", "0 0 1 1 *")
	ok(d, schedule)
	ok(d, send("/schedules/"+schedule.field(a.T, "scheduleId")+"/run", ""))
	d = private("callback")
	ok(d, send("/publish/"+here.url+"/ok", "x", "Upstash-Callback", d))
	d = private("failure-callback")
	ok(d, send("/publish/"+here.url+"/fails", "x", "Upstash-Failure-Callback", d))
	d = private("group-callback")
	ok(d, send("/publish/inside", "x", "Upstash-Callback", d))
	const run = "wfr_inside"
	if r := send("/publish/"+here.url+"/workflow", "x", "Upstash-Workflow-Runid", run, "Upstash-Workflow-Init", "true", "Upstash-Workflow-Url", here.url+"/workflow"); r.status >= 300 {
		a.Fatalf("a run is answered %s", r)
	}
	d = private("call")
	ok(d, send("/batch", `[{"destination":"`+d+`","headers":{"Upstash-Workflow-RunId":"`+run+`","Upstash-Workflow-Url":"`+here.url+`/workflow","Upstash-Workflow-CallType":"toCallback",
		"Upstash-Callback":"`+here.url+`/workflow","Upstash-Callback-Workflow-CallType":"fromCallback","Upstash-Retries":"0"},"body":"x"}]`))
	d = private("run")
	ok(d, send("/publish/"+d, "x", "Upstash-Workflow-Runid", "wfr_other", "Upstash-Workflow-Init", "true", "Upstash-Workflow-Url", d))
	// A redirection is an answer like others, wherever it leads.
	for i, to := range []string{"http://169.254.169.254/latest/meta-data/", here.url + "/redirected", "//10.0.0.1/", "gopher://10.0.0.1:6379/_FLUSHALL", "file:///etc/passwd"} {
		if r := send(fmt.Sprintf("/publish/%s/redirect/%d?to=%s", here.url, i, url.QueryEscape(to)), "x"); r.status >= 300 {
			a.Fatalf("a message to a redirection is answered %s", r)
		}
	}

	events := func() (failed map[string]string, redirected int) {
		var logs struct {
			Events []struct {
				URL, State, Error string
				ResponseStatus    int
			}
		}
		r := a.send("GET", a.qstashURL()+"/v2/logs?count=1000", nil, bearer...)
		if err := json.Unmarshal([]byte(strings.Replace(r.body, `{"logs"`, `{"events"`, 1)), &logs); err != nil {
			a.Fatalf("%s: %v", r, err)
		}
		failed = map[string]string{}
		for _, e := range logs.Events {
			if strings.Contains(e.URL, "/redirect/") && (e.State == "FAILED" || e.State == "DELIVERED") {
				redirected++
			}
			if e.Error != "" {
				failed[e.URL] = e.Error
			}
			if e.State == "DELIVERED" && want[e.URL] {
				a.Errorf("%s was reached", e.URL)
			}
		}
		return failed, redirected
	}
	var failed map[string]string
	missing := func() (none []string) {
		var redirected int
		failed, redirected = events()
		for destination := range want {
			if failed[destination] == "" {
				none = append(none, destination)
			}
		}
		if redirected < 5 {
			none = append(none, "redirections")
		}
		return none
	}
	for range 400 {
		if len(missing()) == 0 {
			break
		}
		select {
		case <-a.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	if none := missing(); len(none) > 0 {
		a.Errorf("nothing has come of %s", none)
	}
	for destination, text := range failed {
		if want[destination] && !refusal.MatchString(text) {
			a.Errorf("%s failed with %q", destination, text)
		}
	}
	if here.received("/redirected") {
		a.Error("a redirection was followed")
	}
	for _, path := range []string{"/group", "/ok", "/fails", "/workflow", "/redirect/4"} {
		if !here.received(path) {
			a.Errorf("nothing was delivered to %s, to which it may be", path)
		}
	}
}
