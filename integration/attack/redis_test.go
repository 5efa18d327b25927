package attack

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// eventually asks until an answer has a status. Revocations take a few seconds.
func (a *target) eventually(status int, ask func() answer) {
	a.Helper()
	var r answer
	for range 300 {
		if r = ask(); r.status == status {
			return
		}
		select {
		case <-a.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	a.Errorf("still answered %s, want %d", r, status)
}

// A user of the access control list may do no more than its maker, and ends with it.
func testUsers(a *target) {
	const password = "password-of-evil"
	a.must("SET", "secret", "hidden")
	id, token := a.credential("+@all", "~app:*")
	if r := a.do(token, "ACL", "SETUSER", "evil", "on", ">"+password, "~*", "&*", "+@all"); r.status == http.StatusOK {
		user := a.do(token, "ACL", "RESTTOKEN", "evil", password).field(a.T, "result")
		a.refused(a.do(user, "GET", "secret"), http.StatusBadRequest, "NOPERM")
		if r := a.do(user, "SET", "app:k", "v"); r.status != http.StatusOK {
			a.Errorf("the user may not do what its maker may: %s", r)
		}
		a.manage("DELETE", "/v2/skystash/credentials/default/"+id, nil)
		a.eventually(http.StatusUnauthorized, func() answer { return a.do(user, "GET", "app:k") })
		a.eventually(http.StatusUnauthorized, func() answer { return a.do(token, "GET", "app:k") })
	}
	_, lesser := a.credential("+@read", "+acl", "~app:*")
	for _, rules := range [][]string{{"on", ">" + password, "+set", "~*"}, {"on", ">" + password, "allcommands", "allkeys"}, {"on", "nopass", "+@all", "~*", "&*"}} {
		a.do(lesser, append([]string{"ACL", "SETUSER", "greedy"}, rules...)...)
		r := a.do(lesser, "ACL", "RESTTOKEN", "greedy", password)
		if r.status != http.StatusOK {
			continue
		}
		user := r.field(a.T, "result")
		for _, args := range [][]string{{"SET", "app:k", "evil"}, {"GET", "secret"}, {"FLUSHDB"}, {"EVAL", "return redis.call('GET', 'secret')", "0"}} {
			a.refused(a.do(user, args...), http.StatusBadRequest, "NOPERM")
		}
	}
}

// A reset ends every user.
func testReset(a *target) {
	const password = "password-of-evil"
	a.must("ACL", "SETUSER", "stays", "on", ">"+password, "~*", "+@all")
	user := a.do(a.token(), "ACL", "RESTTOKEN", "stays", password).field(a.T, "result")
	if r := a.do(user, "PING"); r.status != http.StatusOK {
		a.Fatalf("before the reset: %s", r)
	}
	a.manage("POST", "/v2/redis/reset-password/default", nil)
	a.eventually(http.StatusUnauthorized, func() answer { return a.do(user, "PING") })
}

func raw(body string) []byte { return []byte(body) }

// command is a body: a command with an argument many times.
func command(n int, arg func(i int) string, args ...string) []byte {
	var b strings.Builder
	b.WriteByte('[')
	for _, s := range args {
		b.WriteString(strconv.Quote(s) + ",")
	}
	for i := range n {
		b.WriteString(strconv.Quote(arg(i)) + ",")
	}
	return []byte(strings.TrimSuffix(b.String(), ",") + "]")
}

func base36(i int) string { return strconv.FormatInt(int64(i), 36) }

// Requests that would take minutes, or gigabytes, are refused. What they would have written is not there.
func testBudgets(a *target) {
	a.must("SETRANGE", "bk", "104857000", "x")
	list := []string{"RPUSH", "l"}
	for i := range 50_000 {
		list = append(list, strconv.Itoa(i))
	}
	a.must(list...)
	a.must("JSON.SET", "js", "$", "["+strings.TrimSuffix(strings.Repeat(`"",`, 100), ",")+"]")
	a.must("JSON.SET", "jd", "$", strings.Repeat(`{"a":`, 60)+"[1,2,3,4,5,6,7,8]"+strings.Repeat("}", 60))
	a.must("SET", "s90k", strings.Repeat("x", 90_000))
	set := []string{"SADD", "set"}
	for i := range 20_000 {
		set = append(set, base36(i))
	}
	a.must(set...)
	same := func(s string) func(int) string { return func(int) string { return s } }
	script := func(source string) []byte { return encode(a.T, []string{"EVAL", source, "0"}) }
	for _, tc := range []struct {
		name, token, path string
		body              []byte
	}{
		{"bitcounts in a script", a.token(), "", script("for i = 1, 3000 do redis.call('bitcount', 'bk') end redis.call('set', 'made', 'x')")},
		{"an endless loop", a.token(), "", script("redis.call('set', 'made', 'x') while true do end")},
		{"an endless loop of errors", a.token(), "", script("while true do pcall(error, 'x') end")},
		{"an endless string", a.token(), "", script("local s = 'x' while true do s = s .. s end")},
		{"an endless table", a.token(), "", script("local t = {} for i = 1, 1e9 do t[i] = {} end")},
		{"long strings that are compared", a.token(), "", script("local s, u = string.rep('a', 1e7), string.rep('a', 1e7) redis.call('set', 'made', 'x') while true do local b = s == u end")},
		{"a long string that is looked up", a.token(), "", script("local s, t = string.rep('a', 1e7), {a = 1} redis.call('set', 'made', 'x') while true do local x = t[s] end")},
		{"a pattern that tries everything", a.token(), "", script("return string.rep('a', 100000):match('.-.-.-.-.-.-.-b')")},
		{"ranges with a read-only token", a.readOnly(), "", encode(a.T, []string{"EVAL_RO", "for i = 1, 1000 do redis.call('lrange', 'l', 0, -1) end", "0"})},
		{"BITOP of one key 5,000 times", a.token(), "", command(5000, same("bk"), "BITOP", "XOR", "made")},
		{"a transaction of 100,000 SET", a.token(), "/multi-exec", raw("[" + strings.TrimSuffix(strings.Repeat(`["SET","made","x"],`, 100_000), ",") + "]")},
		{"DEL of 700,000 names", a.token(), "", command(700_000, base36, "DEL")},
		{"JSON.STRAPPEND of 900 KB at 100 places", a.token(), "", encode(a.T, []string{"JSON.STRAPPEND", "js", "$.*", strconv.Quote(strings.Repeat("x", 900_000))})},
		{"a path of descents", a.readOnly(), "", encode(a.T, []string{"JSON.GET", "jd", "$..*..*..*..*..*"})},
		{"SINTER of one set 100,000 times", a.readOnly(), "", command(100_000, same("set"), "SINTER")},
		{"ZINTERSTORE of one set 100,000 times", a.token(), "", command(100_000, same("set"), "ZINTERSTORE", "made", "100000")},
		{"SORT with a pattern of 900 KB", a.token(), "", encode(a.T, []string{"SORT", "l", "BY", "nosuch*", "GET", "*->" + strings.Repeat("x", 900_000), "STORE", "made"})},
		{"MATCH with a pattern that tries everything", a.readOnly(), "", encode(a.T, []string{"SSCAN", "long", "0", "MATCH", "*" + strings.Repeat("x", 100_000) + "y*"})},
	} {
		if tc.name == "MATCH with a pattern that tries everything" {
			a.must("SADD", "long", strings.Repeat("x", 300_000))
		}
		a.Run(tc.name, func(t *testing.T) {
			a := a.with(t)
			r := a.send("POST", a.url()+tc.path, tc.body, "Authorization", "Bearer "+tc.token)
			if r.status == http.StatusOK && strings.HasPrefix(tc.name, "SORT") {
				return // long patterns name no key, at once
			}
			if r.status != http.StatusBadRequest || !strings.Contains(r.body, `"error":"ERR `) || strings.Contains(r.body, "internal") {
				t.Errorf("answered %s", r)
			}
			if got := a.must("EXISTS", "made"); got != "0" {
				t.Errorf("it has written: %s", got)
			}
		})
	}
	if r := a.send("POST", a.url()+"/pipeline", raw("["+strings.TrimSuffix(strings.Repeat(`["nosuch"],`, 1_000_000), ",")+"]"), "Authorization", "Bearer "+a.token()); r.status == http.StatusOK && len(r.body) > 10<<20 {
		a.Errorf("a pipeline of a million commands is answered %d with %d bytes", r.status, len(r.body))
	}
	if got := a.must("STRLEN", "bk"); got != "104857001" {
		a.Errorf("bk has %s bytes", got)
	}
}

// A few bytes that stand for very many are refused, and many at once hold up nobody.
func testInflated(a *target) {
	bombs := map[string][]byte{}
	for path, text := range map[string]string{
		"/":           `["DEL"` + strings.Repeat(`,"a"`, 12_000_000) + "]",
		"/pipeline":   "[" + strings.Repeat(`["DEL"`+strings.Repeat(`,"a"`, 500)+"],", 20_000) + `["PING"]]`,
		"/multi-exec": `[["SET","made","` + strings.Repeat("x", 60_000_000) + `"]]`,
		"/echo":       strings.Repeat("x", 60_000_000),
	} {
		bombs[path] = a.zip(text)
	}
	var sent sync.WaitGroup
	for range 3 {
		for path, body := range bombs {
			sent.Go(func() {
				if r := a.send("POST", a.url()+path, body, "Authorization", "Bearer "+a.token(), "Content-Encoding", "gzip"); r.status != http.StatusBadRequest && r.status != http.StatusRequestEntityTooLarge {
					a.Errorf("%s is answered %s", path, r)
				}
			})
		}
	}
	for range 20 {
		a.must("GET", "secret")
	}
	sent.Wait()
	if got := a.must("EXISTS", "made"); got != "0" {
		a.Errorf("a bomb has written: %s", got)
	}
}

// zip compresses a text.
func (a *target) zip(text string) []byte {
	a.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		a.Fatal(err)
	}
	return b.Bytes()
}

// A script's log does not fill the server's.
func testScriptLog(a *target) {
	before := len(a.log.String())
	a.do(a.token(), "EVAL", "local s = string.rep('x', 1000000) for i = 1, 60 do redis.log(redis.LOG_WARNING, s) end", "0")
	if n := len(a.log.String()) - before; n > 1<<20 {
		a.Errorf("%d bytes were logged", n)
	}
}

// A read-only token does not hear of channels that it may not hear.
func testChannels(a *target) {
	req, err := http.NewRequestWithContext(a.Context(), "POST", a.url()+"/subscribe/secret-channel", nil)
	if err != nil {
		a.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token())
	resp, err := a.client.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	var first [16]byte
	if _, err := resp.Body.Read(first[:]); err != nil { // the subscription is there
		a.Fatal(err)
	}
	if got := a.must("PUBSUB", "CHANNELS"); !strings.Contains(got, "secret-channel") {
		a.Errorf("the channel is not listed: %s", got)
	}
	for _, args := range [][]string{{"PUBSUB", "CHANNELS"}, {"PUBSUB", "CHANNELS", "secret*"}} {
		if r := a.do(a.readOnly(), args...); strings.Contains(r.body, "secret-channel") {
			a.Errorf("%q is answered %s", args, r)
		}
	}
}

// A subscription ends soon after its token is revoked.
func testSubscriptions(a *target) {
	bodies := map[string]io.ReadCloser{}
	for _, path := range []string{"/subscribe/c", "/psubscribe/c*", "/monitor"} {
		id, token := a.credential("+@all", "~*", "&*")
		req, err := http.NewRequestWithContext(a.Context(), "POST", a.url()+path, nil)
		if err != nil {
			a.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := a.client.Do(req)
		if err != nil {
			a.Fatal(err)
		}
		defer resp.Body.Close()
		var first [1]byte
		if _, err := resp.Body.Read(first[:]); err != nil || resp.StatusCode != http.StatusOK {
			a.Fatalf("%s is answered %d, %v", path, resp.StatusCode, err)
		}
		bodies[path] = resp.Body
		if r := a.manage("DELETE", "/v2/skystash/credentials/default/"+id, nil); r.status != http.StatusOK {
			a.Fatalf("revoking a credential: %s", r)
		}
	}
	for path, body := range bodies {
		if _, err := io.Copy(io.Discard, body); err != nil { // the client waits for a minute
			a.Errorf("%s goes on: %v", path, err)
		}
	}
}

// Tokens that nobody has issued open nothing.
func testForgedTokens(a *target) {
	parts := strings.Split(a.token(), ".")
	if len(parts) != 3 {
		a.Fatalf("the token has %d parts", len(parts))
	}
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		a.Fatal(err)
	}
	critical := strings.TrimSuffix(string(header), "}") + `,"crit":["exp"]}`
	for name, token := range map[string]string{
		"no algorithm":            part(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
		"no algorithm, signed":    part(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"a secret for a key":      part(`{"alg":"HS256","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"other claims":            parts[0] + "." + part(`{"sub":"default","scope":["+@all","~*"]}`) + "." + parts[2],
		"no signature":            parts[0] + "." + parts[1] + ".",
		"another signature":       parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"a critical extension":    part(critical) + "." + parts[1] + "." + parts[2],
		"blanks":                  parts[0] + " ." + parts[1] + "." + parts[2],
		"the token of QStash":     a.qstash(),
		"the password of Kafka":   a.server.Var("UPSTASH_KAFKA_REST_PASSWORD"),
		"the API key":             a.server.Var("UPSTASH_API_KEY"),
		"an embedded key":         part(`{"alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}`) + "." + parts[1] + "." + parts[2],
		"a key id that is a path": part(`{"alg":"EdDSA","kid":"../../x"}`) + "." + parts[1] + "." + parts[2],
		"a million bytes":         strings.Repeat("a", 4000) + "." + parts[1] + "." + parts[2],
		"nothing":                 "",
	} {
		for way, r := range map[string]answer{
			"header": a.send("GET", a.url()+"/get/secret", nil, "Authorization", "Bearer "+token),
			"query":  a.send("GET", a.url()+"/get/secret?_token="+strings.ReplaceAll(token, " ", "%20"), nil),
		} {
			if r.status != http.StatusUnauthorized {
				a.Errorf("%s in the %s is answered %s", name, way, r)
			}
		}
	}
	// A token opens its own product.
	for url, token := range map[string]string{
		a.qstashURL() + "/v2/messages/x":                         a.token(),
		a.server.Var("UPSTASH_KAFKA_REST_URL") + "/topics":       a.token(),
		a.server.Var("SKYSTASH_API_URL") + "/v2/redis/databases": a.token(),
	} {
		if r := a.send("GET", url, nil, "Authorization", "Bearer "+token); r.status != http.StatusUnauthorized && r.status != http.StatusForbidden {
			a.Errorf("%s opens with the token of Redis: %s", url, r)
		}
	}
}

func redis(t *testing.T, binary string) {
	a := newTarget(t, binary)
	for _, tc := range []struct {
		name string
		run  func(*target)
	}{
		{"a user may do no more than its maker", testUsers},
		{"requests without bounds", testBudgets},
		{"bodies that are inflated", testInflated},
		{"a script's log", testScriptLog},
		{"channels", testChannels},
		{"subscriptions", testSubscriptions},
		{"forged tokens", testForgedTokens},
		{"a reset ends every user", testReset}, // last: it ends the tokens too
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(a.with(t)) })
	}
}
