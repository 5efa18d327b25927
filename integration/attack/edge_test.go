package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// secretWord stands in what a client sends, and must not be in the log.
const secretWord = "c0ffee-secret-token"

// exchange sends bytes and returns what comes back until the server closes the connection.
func (a *target) exchange(text string) string {
	a.Helper()
	u, err := url.Parse(a.url())
	if err != nil {
		a.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		a.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		a.Fatal(err)
	}
	io.WriteString(conn, text) // the server may have closed already
	conn.(*net.TCPConn).CloseWrite()
	got, _ := io.ReadAll(conn)
	return string(got)
}

// Bytes that are no request of HTTP, or two requests at once, open nothing and stay out of the log.
func testMalformed(a *target) {
	a.must("SET", "secret", "hidden")
	host := strings.TrimPrefix(a.url(), "http://")
	auth := "Authorization: Bearer " + a.token() + "\r\n"
	smuggled := "GET /get/secret HTTP/1.1\r\nHost: " + host + "\r\n" + auth + "\r\n"
	for name, tc := range map[string]struct {
		text   string
		opened bool // the inner request may be carried out: it stands by itself
	}{
		"RESP":                       {text: "*2\r\n$4\r\nAUTH\r\n$19\r\n" + secretWord + "\r\n"},
		"inline command":             {text: "AUTH " + secretWord + "\r\n"},
		"header that breaks off":     {text: "GET /get/secret HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer " + secretWord},
		"header without a name":      {text: "GET / HTTP/1.1\r\nHost: " + host + "\r\n: " + secretWord + "\r\n\r\n"},
		"header with a blank":        {text: "GET / HTTP/1.1\r\nHost: " + host + "\r\nAuthorization : Bearer " + secretWord + "\r\n\r\n"},
		"no version":                 {text: "GET /?_token=" + secretWord + "\r\n\r\n"},
		"wrong version":              {text: "GET /?_token=" + secretWord + " HTTP/9.9\r\n\r\n"},
		"a method of blanks":         {text: "   / HTTP/1.1\r\nX: " + secretWord + "\r\n\r\n"},
		"TLS":                        {text: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + secretWord},
		"HTTP/2":                     {text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + secretWord},
		"NUL":                        {text: "GET /\x00 HTTP/1.1\r\nHost: " + host + "\r\nX: " + secretWord + "\r\n\r\n"},
		"CL and TE":                  {text: "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + strings.ReplaceAll(smuggled, "\r\n\r\n", "\r\nX: ")},
		"two lengths":                {text: "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\nContent-Length: 400\r\n\r\n" + strings.ReplaceAll(smuggled, "Bearer", "Bearer x")},
		"negative length":            {text: "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: -1\r\n\r\n"},
		"a length that is no number": {text: "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0x10\r\n\r\n"},
		"an enormous length":         {text: "POST / HTTP/1.1\r\nHost: " + host + "\r\n" + auth + "Content-Length: 99999999999999999999\r\n\r\n[]"},
		"a chunk that never ends":    {text: "POST / HTTP/1.1\r\nHost: " + host + "\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n[]"},
		"a header of a megabyte":     {text: "GET / HTTP/1.1\r\nHost: " + host + "\r\nX: " + strings.Repeat("x", 1<<20) + secretWord + "\r\n\r\n"},
		"100,000 headers":            {text: "GET / HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Repeat("X: y\r\n", 100_000) + "\r\n"},
		"a path of a megabyte":       {text: "GET /" + strings.Repeat("x", 1<<20) + secretWord + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"},
		"folded header":              {text: "GET /get/secret HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer\r\n " + secretWord + "\r\n\r\n"},
	} {
		got := a.exchange(tc.text)
		if strings.Contains(got, "hidden") || strings.Contains(got, secretWord) {
			a.Errorf("%s is answered %.300s", name, got)
		}
		if strings.HasPrefix(got, "HTTP/1.1 2") {
			a.Errorf("%s is answered %.300s", name, got)
		}
	}
	if got := a.must("GET", "secret"); got != `"hidden"` {
		a.Errorf("afterwards GET is answered %s", got)
	}
	if log := a.log.String(); strings.Contains(log, secretWord) {
		a.Errorf("the log has the secret: %.2000s", log[max(strings.Index(log, secretWord)-200, 0):])
	}
}

// What a page of another web site can make a browser send opens nothing.
func testOtherSites(a *target) {
	token := url.QueryEscape(a.token())
	for name, r := range map[string]answer{
		"token in the query, cross-site": a.send("GET", a.url()+"/set/csrf/evil?_token="+token, nil, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"),
		"a form":                         a.send("POST", a.url()+"/set/csrf/evil?_token="+token, nil, "Origin", "https://evil.example", "Content-Type", "application/x-www-form-urlencoded"),
		"no origin, cross-site":          a.send("GET", a.url()+"/set/csrf/evil?_token="+token, nil, "Sec-Fetch-Site", "cross-site"),
		"an opaque origin":               a.send("POST", a.url()+"/set/csrf/evil?_token="+token, nil, "Origin", "null"),
		"a name that a site owns":        a.send("POST", a.url()+"/set/csrf/evil", nil, "Host", "rebound.evil.example", "Authorization", "Bearer "+a.token()),
	} {
		if r.status < 400 {
			a.Errorf("%s is answered %s", name, r)
		}
	}
	if got := a.must("EXISTS", "csrf"); got != "0" {
		a.Error("a key was set")
	}
}

// The development server of QStash has credentials that everybody knows: it answers no other site.
func devServer(t *testing.T, binary string) {
	a := newTarget(t, binary, "-qstash-dev", "-qstash-dev-addr", "127.0.0.1:0")
	called := make(chan struct{}, 1)
	victim := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case called <- struct{}{}:
		default:
		}
	}))
	found := regexp.MustCompile(`QStash dev +(http://127\.0\.0\.1:\d+)`).FindStringSubmatch(a.server.Banner())
	if found == nil {
		t.Fatalf("no development server in %s", a.server.Banner())
	}
	dev := found[1]
	const public = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
	for _, header := range [][]string{
		{"Origin", "https://evil.example"},
		{"Origin", "https://evil.example", "Authorization", "Bearer " + public},
		{"Sec-Fetch-Site", "cross-site"},
		{"Host", "rebound.evil.example"},
	} {
		for _, path := range []string{"/v2/publish/" + victim, "/v2/publish/" + victim + "?qstash_token=" + url.QueryEscape(public), "/v2/enqueue/q/" + victim} {
			if r := a.send("POST", dev+path, []byte("{}"), header...); r.status < 400 {
				t.Errorf("%q to %s is answered %s", header, path, r)
			}
		}
	}
	select {
	case <-called:
		t.Error("the victim was called")
	default:
	}
	// The developer's own client is served.
	if r := a.send("POST", dev+"/v2/publish/"+victim, []byte("{}"), "Authorization", "Bearer "+public); r.status >= 300 {
		t.Errorf("the developer is answered %s", r)
	}
}

// serve runs a server until the test ends and returns its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

// Bodies of the Developer API that are large, deep or long are refused, and nothing breaks.
func testManagement(a *target) {
	long := strings.Repeat("x", 900_000)
	for name, tc := range map[string]struct {
		method, path string
		body         any
	}{
		"a long name":       {"POST", "/v2/redis/database", map[string]any{"database_name": long, "region": "global", "primary_region": "us-east-1"}},
		"a long rule":       {"POST", "/v2/skystash/credentials/default", map[string]any{"name": "x", "rules": []string{"~" + long}}},
		"many rules":        {"POST", "/v2/skystash/credentials/default", map[string]any{"name": "x", "rules": strings.Split(strings.Repeat("~a ", 100_000), " ")}},
		"a long id":         {"GET", "/v2/redis/database/" + strings.Repeat("x", 3000), nil},
		"an id with a path": {"GET", "/v2/redis/database/..%2f..%2fx", nil},
		"a long topic":      {"POST", "/v2/kafka/topic", map[string]any{"name": long, "cluster_id": "default", "partitions": 1}},
		"many partitions":   {"POST", "/v2/kafka/topic", map[string]any{"name": "t", "cluster_id": "default", "partitions": 1 << 30}},
	} {
		if r := a.manage(tc.method, tc.path, tc.body); r.status < 400 || r.status >= 500 || len(r.body) > 10_000 {
			a.Errorf("%s is answered %s", name, r)
		}
	}
	// None is larger than the megabyte that the server reads of a body it refuses: beyond, it hangs up.
	for name, body := range map[string]string{
		"deep JSON": strings.Repeat(`{"name":`, 100_000), "a long list": "[" + strings.Repeat("0,", 400_000) + "0]", "no JSON": "\x00\xff", "a number": "1e999999",
	} {
		req, err := http.NewRequestWithContext(a.Context(), "POST", a.server.Var("SKYSTASH_API_URL")+"/v2/redis/database", strings.NewReader(body))
		if err != nil {
			a.Fatal(err)
		}
		req.SetBasicAuth(a.server.Var("UPSTASH_EMAIL"), a.server.Var("UPSTASH_API_KEY"))
		resp, err := a.client.Do(req)
		if err != nil {
			a.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode >= 500 {
			a.Errorf("%s is answered %d", name, resp.StatusCode)
		}
	}
	// Without a key, or with a wrong one, nothing opens; the owner's key goes on working from the same address.
	for range 60 {
		req, err := http.NewRequestWithContext(a.Context(), "GET", a.server.Var("SKYSTASH_API_URL")+"/v2/redis/databases", nil)
		if err != nil {
			a.Fatal(err)
		}
		req.SetBasicAuth(a.server.Var("UPSTASH_EMAIL"), "wrong")
		resp, err := a.client.Do(req)
		if err != nil {
			a.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusTooManyRequests {
			a.Fatalf("a wrong key is answered %d", resp.StatusCode)
		}
	}
	if r := a.manage("GET", "/v2/redis/databases", nil); r.status != http.StatusOK {
		a.Errorf("after wrong keys, the right one is answered %s", r)
	}
}

// browser is a visitor of the console.
type browser struct {
	a      *target
	client *http.Client
}

func (a *target) browser() browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.Fatal(err)
	}
	return browser{a, &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: a.client.CheckRedirect}}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// do sends a request, with a form if there is one. header has names and values in turn.
func (b browser) do(method, path string, form url.Values, header ...string) answer {
	b.a.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.a.Context(), method, b.a.url()+path, body)
	if err != nil {
		b.a.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.a.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.a.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// signIn signs in with a key.
func (b browser) signIn(email, key, next string) answer {
	b.a.Helper()
	page := b.do("GET", "/console/sign-in", nil)
	csrf := csrfField.FindStringSubmatch(page.body)
	if csrf == nil {
		b.a.Fatalf("no form in %s", page)
	}
	return b.do("POST", "/console/sign-in", url.Values{"csrf": {csrf[1]}, "email": {email}, "key": {key}, "next": {next}})
}

// A session ends with its key; wrong keys do not lock the owner out; nothing leads to other sites.
func testConsole(a *target) {
	email := a.server.Var("UPSTASH_EMAIL")
	r := a.manage("POST", "/v2/skystash/apikeys", map[string]any{"name": "stolen"})
	var key struct{ ID, Key, APIKey string }
	var fields map[string]any
	if err := json.Unmarshal([]byte(r.body), &fields); err != nil {
		a.Fatalf("%s: %v", r, err)
	}
	key.ID = fmt.Sprint(fields["id"])
	for _, name := range []string{"key", "api_key", "secret", "token"} {
		if v, ok := fields[name].(string); ok {
			key.Key = v
		}
	}
	thief := a.browser()
	if r := thief.signIn(email, key.Key, ""); r.status != http.StatusSeeOther {
		a.Fatalf("signing in is answered %s", r)
	}
	if r := thief.do("GET", "/console/", nil); r.status != http.StatusOK {
		a.Fatalf("signed in, the console answers %s", r)
	}
	if r := a.manage("DELETE", "/v2/skystash/apikeys/"+key.ID, nil); r.status >= 300 {
		a.Fatalf("revoking the key: %s", r)
	}
	a.eventually(http.StatusSeeOther, func() answer { return thief.do("GET", "/console/", nil) })
	for range 30 {
		a.browser().signIn(email, "wrong", "")
	}
	if r := a.browser().signIn(email, a.server.Var("UPSTASH_API_KEY"), ""); r.status != http.StatusSeeOther {
		a.Errorf("after wrong keys, the owner's is answered %s", r)
	}
	for _, next := range []string{"https://evil.example", "//evil.example", "/console/../../x", "/\\evil.example", "/console/\r\nSet-Cookie: a=b", "javascript:alert(1)", "/console/%2e%2e/%2e%2e/x"} {
		r := a.browser().signIn(email, a.server.Var("UPSTASH_API_KEY"), next)
		if to := r.header.Get("Location"); r.status == http.StatusSeeOther && (!strings.HasPrefix(to, "/console/") || strings.Contains(to, "..") || strings.Contains(to, "evil")) {
			a.Errorf("next=%q leads to %q", next, to)
		}
	}
}

func edge(t *testing.T, binary string) {
	a := newTarget(t, binary)
	for _, tc := range []struct {
		name string
		run  func(*target)
	}{
		{"bytes that are no request", testMalformed},
		{"pages of other sites", testOtherSites},
		{"messages that multiply", testQStash},
		{"what a delivery says about itself", testForgedDeliveries},
		{"destinations inside of networks", testSSRF},
		{"loops of messages", testLoops},
		{"the Developer API", testManagement},
		{"the console", testConsole},
		{"sessions of the console", testSessions},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(a.with(t)) })
	}
}
