package rest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
)

func TestAnswersToOneCommand(t *testing.T) {
	for _, tc := range []struct {
		path   string
		status int
		json   string
		base64 string
		resp2  string
	}{
		{"/set/k/v", 200, `{"result":"OK"}`, `{"result":"OK"}`, "+OK\r\n"},
		{"/ping", 200, `{"result":"PONG"}`, `{"result":"UE9ORw=="}`, "+PONG\r\n"},
		{"/echo/OK", 200, `{"result":"OK"}`, `{"result":"T0s="}`, "$2\r\nOK\r\n"},
		{"/echo/a%FFb", 200, "{\"result\":\"a\uFFFDb\"}", `{"result":"Yf9i"}`, "$3\r\na\xffb\r\n"},
		{"/nil", 200, `{"result":null}`, `{"result":null}`, "$-1\r\n"},
		{"/nilarray", 200, `{"result":null}`, `{"result":null}`, "*-1\r\n"},
		{"/int", 200, `{"result":9223372036854775807}`, `{"result":9223372036854775807}`, ":9223372036854775807\r\n"},
		{"/double", 200, `{"result":"99.5"}`, `{"result":"OTkuNQ=="}`, "$4\r\n99.5\r\n"},
		{"/map", 200, `{"result":["f",1]}`, `{"result":["Zg==",1]}`, "*2\r\n$1\r\nf\r\n:1\r\n"},
		{"/list", 200, `{"result":["OK","OK","ERR inner"]}`, `{"result":["T0s=","T0s=","RVJSIGlubmVy"]}`, "*3\r\n+OK\r\n$2\r\nOK\r\n-ERR inner\r\n"},
		{"/oops", 400, `{"error":"WRONGTYPE Operation against a key"}`, `{"error":"WRONGTYPE Operation against a key"}`, "-WRONGTYPE Operation against a key\r\n"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			s := newServer(t, nil)
			for _, answer := range []struct {
				header      []string
				body        string
				contentType string
			}{
				{nil, tc.json, "application/json; charset=utf-8"},
				{[]string{"Upstash-Response-Format", "json"}, tc.json, "application/json; charset=utf-8"},
				{[]string{"Upstash-Encoding", "base64"}, tc.base64, "application/json; charset=utf-8"},
				{[]string{"Upstash-Encoding", "base64", "Upstash-Response-Format", "json"}, tc.base64, "application/json; charset=utf-8"},
				{[]string{"Upstash-Response-Format", "resp2"}, tc.resp2, "application/octet-stream"},
			} {
				w := s.do(t, "GET", tc.path, "", answer.header...)
				expect(t, w, tc.status, answer.body)
				if got := w.Header().Get("Content-Type"); got != answer.contentType {
					t.Errorf("%v: Content-Type %q", answer.header, got)
				}
				if got := w.Header().Get("Content-Length"); got != fmt.Sprint(len(answer.body)) {
					t.Errorf("%v: Content-Length %s of %d", answer.header, got, len(answer.body))
				}
			}
		})
	}
}

const mixed = `[["set","k","v"],["oops"],["echo","OK"],["nil"],["list"]]`

func TestAnswersToPipelines(t *testing.T) {
	s := newServer(t, nil)
	for _, path := range []string{"/pipeline", "/pipeline/"} {
		expect(t, s.do(t, "POST", path, mixed), 200,
			`[{"result":"OK"},{"error":"WRONGTYPE Operation against a key"},{"result":"OK"},{"result":null},{"result":["OK","OK","ERR inner"]}]`)
	}
	expect(t, s.do(t, "PUT", "/pipeline", mixed, "Upstash-Encoding", "base64"), 200,
		`[{"result":"OK"},{"error":"WRONGTYPE Operation against a key"},{"result":"T0s="},{"result":null},{"result":["T0s=","T0s=","RVJSIGlubmVy"]}]`)
	w := s.do(t, "POST", "/pipeline", mixed, "Upstash-Response-Format", "resp2")
	expect(t, w, 200, "+OK\r\n-WRONGTYPE Operation against a key\r\n$2\r\nOK\r\n$-1\r\n*3\r\n+OK\r\n$2\r\nOK\r\n-ERR inner\r\n")
	if got := w.Header().Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("Content-Type %q", got)
	}
	if !slices.Equal(s.engine.calls, []string{"pipeline", "pipeline", "pipeline", "pipeline"}) {
		t.Errorf("calls %v", s.engine.calls)
	}
}

func TestAnswersToTransactions(t *testing.T) {
	const want = `[{"result":"OK"},{"error":"WRONGTYPE Operation against a key"},{"result":"OK"},{"result":null},{"result":["OK","OK","ERR inner"]}]`
	for _, header := range [][]string{nil, {"Upstash-Response-Format", "resp2"}, {"Upstash-Response-Format", "xml"}} {
		s := newServer(t, nil)
		w := s.do(t, "POST", "/multi-exec/", mixed, header...)
		expect(t, w, 200, want)
		if got := w.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("Content-Type %q", got)
		}
		if !slices.Equal(s.engine.calls, []string{"multi"}) {
			t.Errorf("calls %v", s.engine.calls)
		}
	}
	s := newServer(t, nil)
	expect(t, s.do(t, "POST", "/multi-exec", `[["set"],["ping"]]`, "Upstash-Encoding", "base64", "Upstash-Response-Format", "resp2"), 200,
		`[{"result":"OK"},{"result":"UE9ORw=="}]`)
	s.engine.refuse = redis.Error("ERR wrong number of arguments for 'get' command")
	expect(t, s.do(t, "POST", "/multi-exec", `[["ping"],["get"]]`), 400, `{"error":"ERR wrong number of arguments for 'get' command"}`)
}

func TestResponseFormats(t *testing.T) {
	const (
		unknown  = `{"error":"ERR unsupported Upstash-Response-Format: use json or resp2"}`
		together = `{"error":"ERR Upstash-Response-Format resp2 cannot be combined with Upstash-Encoding base64"}`
	)
	for target, body := range map[string]string{"/ping": "", "/": `["ping"]`, "/pipeline": `[["ping"]]`} {
		s := newServer(t, nil)
		expect(t, s.do(t, "POST", target, body, "Upstash-Response-Format", "resp3"), 400, unknown)
		expect(t, s.do(t, "POST", target, body, "Upstash-Response-Format", "resp2", "Upstash-Encoding", "base64"), 400, together)
		s.expectNothingRan(t)
	}
	s := newServer(t, nil)
	expect(t, s.do(t, "GET", "/ping", "", "Upstash-Encoding", "none"), 200, `{"result":"PONG"}`)
	expect(t, s.do(t, "GET", "/watch/k", "", "Upstash-Response-Format", "resp2"), 400,
		"-ERR Command \"WATCH\" is not allowed in REST or it has a special context path\r\n")
	expect(t, s.do(t, "POST", "/", "{}", "Upstash-Response-Format", "resp2"), 400, saysNotArray)
}

func TestCommandsThatNeedAConnection(t *testing.T) {
	for _, name := range []string{"AUTH", "HELLO", "RESET", "CLIENT", "SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE",
		"PUNSUBSCRIBE", "MONITOR", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"} {
		says := `{"error":"ERR Command \"` + name + `\" is not allowed in REST or it has a special context path"}`
		for _, name := range []string{name, strings.ToLower(name), name[:1] + strings.ToLower(name[1:])} {
			t.Run(name, func(t *testing.T) {
				s := newServer(t, nil)
				expect(t, s.do(t, "POST", "/", `["`+name+`","x"]`), 400, says)
				if !isStream(name) {
					expect(t, s.do(t, "GET", "/"+name+"/x", ""), 400, says)
				}
				expect(t, s.do(t, "POST", "/multi-exec", `[["ping"],["`+name+`"]]`), 400, says)
				expect(t, s.do(t, "POST", "/pipeline", `[["`+name+`"]]`), 200, `[`+says+`]`)
				s.expectNothingRan(t)
			})
		}
	}
	t.Run("in its place in a pipeline", func(t *testing.T) {
		s := newServer(t, nil)
		expect(t, s.do(t, "POST", "/pipeline", `[["ping"],["set","k","v"],["watch","k"],["MULTI"],["echo","a"]]`), 200,
			`[{"result":"PONG"},{"result":"OK"},{"error":"ERR Command \"WATCH\" is not allowed in REST or it has a special context path"},`+
				`{"error":"ERR Command \"MULTI\" is not allowed in REST or it has a special context path"},{"result":"a"}]`)
		want := [][]string{{"ping"}, {"set", "k", "v"}, {"echo", "a"}}
		if !slices.EqualFunc(s.engine.commands, want, slices.Equal[[]string]) {
			t.Errorf("commands %q, want %q", s.engine.commands, want)
		}
	})
	for _, name := range []string{"get", "set", "quit", "acl", "execute", "command", "publish", "", "WATCHES"} {
		if table().NeedsConnection(name) {
			t.Errorf("%q does not need a connection", name)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Run("preflight needs no token", func(t *testing.T) {
		for _, target := range []string{"/", "/pipeline", "/get/k?%", "/monitor"} {
			s := newServer(t, nil)
			w := s.doAs(t, "", "OPTIONS", target, "", "Origin", "https://app.example.com",
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,upstash-encoding")
			expect(t, w, 200, "")
			for name, want := range map[string]string{
				"Access-Control-Allow-Origin":      "https://app.example.com",
				"Access-Control-Allow-Credentials": "true",
				"Access-Control-Allow-Headers":     "authorization,upstash-encoding",
				"Access-Control-Max-Age":           "86400",
				"Vary":                             "Origin",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", target, name, got, want)
				}
			}
			for _, method := range []string{"HEAD", "GET", "POST", "PUT"} {
				if got := w.Header().Get("Access-Control-Allow-Methods"); !strings.Contains(got, method) {
					t.Errorf("%s is not among the allowed methods %q", method, got)
				}
			}
			s.expectNothingRan(t)
		}
	})
	t.Run("every answer", func(t *testing.T) {
		s := newServer(t, limitTo(100, 1000))
		for _, tc := range []struct {
			authorization, method, target, body string
			status                              int
		}{
			{"good", "GET", "/ping", "", 200},
			{"good", "POST", "/pipeline", `[["ping"]]`, 200},
			{"good", "POST", "/multi-exec", `[["ping"]]`, 200},
			{"good", "GET", "/oops", "", 400},
			{"good", "POST", "/", "", 400},
			{"bad", "GET", "/ping", "", 401},
			{"good", "DELETE", "/ping", "", 405},
			{"good", "POST", "/echo", strings.Repeat("x", 101), 413},
			{"good", "GET", "/fail", "", 500},
		} {
			for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "": "*"} {
				w := s.doAs(t, tc.authorization, tc.method, tc.target, tc.body, "Origin", origin)
				if w.Code != tc.status {
					t.Errorf("%s %s: answer %d %s", tc.method, tc.target, w.Code, w.Body)
				}
				if got := w.Header().Get("Access-Control-Allow-Origin"); got != want {
					t.Errorf("%d: Access-Control-Allow-Origin %q, want %q", tc.status, got, want)
				}
				if got := w.Header().Get("Access-Control-Expose-Headers"); got != "upstash-sync-token" {
					t.Errorf("%d: Access-Control-Expose-Headers %q", tc.status, got)
				}
				var body any
				if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
					t.Errorf("%d: %s: %v", tc.status, w.Body, err)
				}
			}
		}
	})
}

func TestSyncTokens(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-v]+(\.[0-9a-v]+)?$`)
	t.Run("a new one with every answer, whatever comes in", func(t *testing.T) {
		s := newServer(t, nil) // its clock stands still
		seen := map[string]bool{}
		for _, incoming := range []string{"", "my-new-sync-token", "0", "vvvvvvvvvvvvvvvvvvvv", "\x01é"} {
			for target, body := range map[string]string{"/": `["set","k","v"]`, "/pipeline": `[["set","k","v"]]`, "/multi-exec": `[["set","k","v"]]`, "/oops": ""} {
				w := s.do(t, "POST", target, body, "Upstash-Sync-Token", incoming)
				got := w.Header().Get("Upstash-Sync-Token")
				if !form.MatchString(got) || seen[got] || target != "/oops" && w.Code != 200 {
					t.Errorf("%s: answer %d with token %q", target, w.Code, got)
				}
				seen[got] = true
			}
		}
	})
	t.Run("they grow though the clock goes back", func(t *testing.T) {
		now := time.UnixMicro(1000)
		tokens := syncTokens{now: func() time.Time { return now }}
		if got := strconv.FormatInt(tokens.next(), 32); got != "v8" {
			t.Errorf("token of microsecond 1000 is %q, want v8", got)
		}
		now = time.UnixMicro(10)
		if got := strconv.FormatInt(tokens.next(), 32); got != "v9" {
			t.Errorf("token after the clock went back is %q, want v9", got)
		}
		now = time.UnixMicro(1024)
		if got := strconv.FormatInt(tokens.next(), 32); got != "100" {
			t.Errorf("token of microsecond 1024 is %q, want 100", got)
		}
	})
	t.Run("concurrent ones differ", func(t *testing.T) {
		tokens := syncTokens{now: func() time.Time { return time.UnixMicro(1000) }}
		const goroutines, each = 4, 500
		got := make([][]int64, goroutines)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				for range each {
					got[i] = append(got[i], tokens.next())
				}
			})
		}
		wg.Wait()
		all := slices.Concat(got...)
		slices.Sort(all)
		if n := len(slices.Compact(all)); n != goroutines*each {
			t.Errorf("%d tokens, %d of them different", goroutines*each, n)
		}
	})
}

// TestAnyBytesThroughARealServer sends every byte through net/http's own
// parsing of request lines, in all forms that can carry it.
func TestAnyBytesThroughARealServer(t *testing.T) {
	s := newServer(t, nil)
	server := httptest.NewServer(s)
	defer server.Close()
	var raw [256]byte
	var escaped strings.Builder
	for i := range raw {
		raw[i] = byte(i)
		fmt.Fprintf(&escaped, "%%%02X", i)
	}
	for _, tc := range []struct{ method, target, body string }{
		{"GET", "/echo/" + escaped.String(), ""},
		{"POST", "/echo", string(raw[:])},
		{"GET", "/echo?" + escaped.String(), ""},
	} {
		r, err := http.NewRequest(tc.method, server.URL+tc.target, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("Upstash-Encoding", "base64")
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Result []byte }
		err = json.NewDecoder(answer.Body).Decode(&got)
		answer.Body.Close()
		if err != nil || string(got.Result) != string(raw[:]) {
			t.Errorf("%s %.12s: %q, %v", tc.method, tc.target, got.Result, err)
		}
	}
}

func TestRawRequests(t *testing.T) {
	s := newServer(t, limitTo(100, 1<<20))
	server := httptest.NewServer(s)
	defer server.Close()
	exchange := func(request string) *http.Response {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(newReader(all), nil)
		if err != nil {
			t.Fatalf("%q: %v", all, err)
		}
		return answer
	}
	const tail = " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nConnection: close\r\n"
	answer := exchange("GET /echo/a%2Fb%00" + tail + "Upstash-Encoding: base64\r\n\r\n")
	body, _ := io.ReadAll(answer.Body)
	if want := `{"result":"` + base64.StdEncoding.EncodeToString([]byte("a/b\x00")) + `"}`; string(body) != want {
		t.Errorf("%s, want %s", body, want)
	}
	answer = exchange("POST /set/k" + tail + "Content-Length: 500000\r\n\r\n" + strings.Repeat("x", 500000))
	body, _ = io.ReadAll(answer.Body)
	if answer.StatusCode != 413 || string(body) != tooLargeBody(100, 500000) {
		t.Errorf("large body: %d %s", answer.StatusCode, body)
	}
	answer = exchange("POST /pipeline" + tail + "Transfer-Encoding: chunked\r\n\r\nc\r\n[[\"ping\"]] \n\r\n0\r\n\r\n")
	body, _ = io.ReadAll(answer.Body)
	if string(body) != `[{"result":"PONG"}]` {
		t.Errorf("chunked: %d %s", answer.StatusCode, body)
	}
}
