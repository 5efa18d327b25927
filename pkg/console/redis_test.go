package console

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/cli"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// command runs a command in a database and returns its reply as redis-cli shows it.
func (w *world) command(res *control.Resource, line string) string {
	w.Helper()
	args, err := cli.Split(line)
	w.ok(err)
	db, err := w.redis.Database(w.Context(), res.ID)
	w.ok(err)
	var reply resp.Writer
	w.ok(w.redis.Do(w.Context(), db, redis.Access{}, args, &reply))
	text, _ := cli.Format(reply.Buf, 1<<20)
	return strings.TrimSuffix(text, "\n")
}

// hidden is the value of a hidden field in a page.
func (p *answer) hidden(name string) string {
	p.w.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.body)
	if m == nil {
		p.w.Fatalf("%s: no field %s", p.path, name)
	}
	return m[1]
}

func TestDataBrowserListsKeys(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("cache")
	browser := "/r/" + db.ID + "/browser"
	c.get(browser).want("No keys yet", "Choose a key")
	c.command(db, "set user:1 hello ex 3600")
	c.command(db, "hset cart:1 a 1 b 2")
	c.command(db, `set "\xff<b>" x`)
	c.get(browser).want("user:1", "String · 5 B", "60m", "cart:1", "Hash · 2 fields", `\xff&lt;b&gt;`)
	c.get(browser + "?match=cart").want("cart:1").lacks("user:1")
	c.get(browser + "?type=hash").want("cart:1").lacks("user:1")
	c.get(browser + "?match=nothing").want("No such keys")
	c.get(browser + "?key=none").want("This key is gone")
	c.htmx("GET", browser+"/count").is(200).want("3 keys")
	for i := range 120 {
		c.command(db, "set many:"+strings.Repeat("x", i)+" v")
	}
	p := c.get(browser).want("More keys")
	next := regexp.MustCompile(`hx-get="/console([^"]*cursor[^"]*)"`).FindStringSubmatch(p.body)
	if next == nil {
		t.Fatal("no next page")
	}
	c.send("GET", strings.ReplaceAll(next[1], "&amp;", "&"), "", "HX-Request", "true", "HX-Target", "more").is(200).want("many:x").lacks("<html")
}

func TestDataBrowserEditsEveryType(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("cache")
	browser := "/r/" + db.ID + "/browser"
	at := func(action, key, element string) string {
		q := url.Values{"key": {key}}
		if element != "" {
			q.Set("element", element)
		}
		return browser + action + "?" + q.Encode()
	}
	c.get(browser)
	for _, row := range [][]string{
		{"name", "s", "type", "string", "value", "one"},
		{"name", "h", "type", "hash", "field", "f", "value", "one"},
		{"name", "l", "type", "list", "value", "one"},
		{"name", "u", "type", "set", "value", "one"},
		{"name", "z", "type", "zset", "value", "one", "score", "1.5"},
		{"name", "x", "type", "stream", "field", "f", "value", "one"},
		{"name", "j", "type", "ReJSON-RL", "value", `{"a": 1}`},
		{"name", `b\xff`, "type", "string", "value", `\x00\r\n`, "format", "escaped", "seconds", "90"},
	} {
		c.post(browser+"/new", row...).is(200).want("Created.")
		c.post(browser+"/new", row...).is(422).want("There is a key of that name already")
	}
	c.post(browser+"/new", "name", "", "type", "hash", "value", "x").is(422).want("Enter the key", "Enter the name of the first field")
	c.post(browser+"/new", "name", "bad", "type", "ReJSON-RL", "value", "{").is(422).want("notice-bad")

	// Texts.
	p := c.get(at("", "s", "")).want("one</textarea>", "Does not expire")
	c.post(at("/save", "s", ""), "type", "string", "seen", p.hidden("seen"), "format", "text", "value", "two\r\nlines").want("Saved.", "two\nlines</textarea>")
	c.post(at("/save", "s", ""), "type", "string", "seen", p.hidden("seen"), "format", "text", "value", "mine").is(409).want("changed by somebody else", "mine</textarea>")
	p = c.get(at("", "j", "")).want("&#34;a&#34;: 1")
	c.post(at("/save", "j", ""), "type", "ReJSON-RL", "seen", p.hidden("seen"), "format", "text", "value", "{").is(422)
	c.post(at("/save", "j", ""), "type", "ReJSON-RL", "seen", p.hidden("seen"), "format", "text", "value", `{"a": [2]}`).want("Saved.")
	p = c.get(at("", "b\xff", "")).want(`\x00\r\n</textarea>`, "00 0d 0a", "Expires in 90s")
	c.post(at("/save", "b\xff", ""), "type", "string", "seen", p.hidden("seen"), "format", "escaped", "value", `\x01`).want("Saved.")

	// Elements.
	c.post(at("/add", "h", ""), "kind", "hash", "field", "g", "value", "v").want("Added.")
	c.post(at("/add", "l", ""), "kind", "list", "value", "zero", "end", "head").want("Added.")
	c.post(at("/add", "u", ""), "kind", "set", "value", "two").want("Added.")
	c.post(at("/add", "u", ""), "kind", "set", "value", "two").want("There is one of that name already")
	c.post(at("/add", "z", ""), "kind", "zset", "value", "two", "score", "2").want("Added.")
	c.post(at("/add", "z", ""), "kind", "zset", "value", "three", "score", "many").want("not a valid float")
	c.post(at("/add", "x", ""), "kind", "stream", "pairs", "a=1\nb=2=3", "entry", "99999999999999-1").want("Added.", "2=3")
	for _, row := range []struct{ key, element, kind, field, value string }{
		{"h", "f", "hash", "value", "changed"}, {"l", "1", "list", "value", "changed"}, {"z", "one", "zset", "score", "7"},
	} {
		p := c.get(at("/element", row.key, row.element))
		seen := p.hidden("seen")
		c.post(at("/element", row.key, row.element), "kind", row.kind, "seen", seen, "format", "text", row.field, row.value).is(200).want("Saved.")
		c.post(at("/element", row.key, row.element), "kind", row.kind, "seen", seen, "format", "text", row.field, "mine").is(409).want("changed by somebody else", "mine")
	}
	c.get(at("/element", "x", "99999999999999-1")).want("2=3")
	c.get(at("/element", "u", "two")).want("two")
	c.post(at("/remove", "l", "0"), "kind", "list", "seen", "other").want("changed by somebody else")
	for key, element := range map[string]string{"h": "g", "u": "two", "z": "two", "x": "99999999999999-1"} {
		c.post(at("/remove", key, element), "kind", "any").want("Removed.")
		c.post(at("/remove", key, element), "kind", "any").want("not there any more")
	}
	for command, want := range map[string]string{
		"get s": `"two\nlines"`, "json.get j": `"{\"a\":[2]}"`, `get "b\xff"`: `"\x01"`, "hgetall h": "1) \"f\"\n2) \"changed\"",
		"lrange l 0 -1": "1) \"zero\"\n2) \"changed\"", "smembers u": `1) "one"`, "zrange z 0 -1 withscores": "1) \"one\"\n2) \"7\"",
	} {
		if got := c.command(db, command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	d := c.get(at("/download", "b\xff", ""))
	if d.body != "\x01" || d.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("download: %q, %v", d.body, d.header)
	}

	// Keys.
	c.post(at("/expire", "s", ""), "seconds", "120").want("expires in 2m")
	c.post(at("/expire", "s", ""), "seconds", "-1").want("number of seconds above 0")
	c.post(at("/expire", "s", ""), "seconds", "").want("does not expire any more")
	c.post(at("/rename", "s", ""), "name", "h").want("There is one of that name already")
	c.post(at("/rename", "s", ""), "name", "s2").want("Renamed.", "s2")
	c.post(at("/delete", "s2", "")).want("Deleted.")
	c.post(browser+"/delete", "name", "aA", "name", "eg").want("2 keys were deleted.") // h and z
	c.post(browser + "/delete").want("Choose the keys")
	if got := c.command(db, "exists s2 h z l"); got != "(integer) 1" {
		t.Error(got)
	}
}

func TestLargeValuesAreShownInPart(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("cache")
	c.command(db, "set big "+strings.Repeat("0123456789", 100_000))
	p := c.get("/r/"+db.ID+"/browser?key=big").want("of which the beginning is shown", "1 MB").lacks("<textarea class=\"input mono editor\"")
	if len(p.body) > 400_000 {
		t.Errorf("the page has %d bytes", len(p.body))
	}
	if d := c.get("/r/" + db.ID + "/browser/download?key=big"); len(d.body) != 1_000_000 {
		t.Errorf("the download has %d bytes", len(d.body))
	}
}

func TestCommandLine(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("cache")
	path := "/r/" + db.ID + "/cli"
	c.get(path).want(`role="combobox"`, `data-cli-example="HELP ZADD"`)
	for _, row := range []struct{ line, want string }{
		{`set "a b" '<i>'`, "OK"},
		{`get "a b"`, "&#34;&lt;i&gt;&#34;"},
		{"nonsense x", "Command is not available"},
		{"get", "wrong number of arguments"},
		{`get "a`, "unbalanced quotes"},
		{"", "Type a command"},
		{"help config get", "CONFIG GET arg"},
		{"HELP nonsense", "There is no command NONSENSE."},
		{"subscribe x", "Subscriptions are not possible here"},
		{"multi", "Transactions are not possible here"},
	} {
		c.htmx("POST", path, "line", row.line).is(200).want(row.want).lacks("<html")
	}
	c.post(path, "line", "dbsize").is(200).want("(integer) 1", "<html")
	c.htmx("POST", path, "line", "flushdb").want("deletes all keys", "Run it all the same")
	c.post(path, "line", "dbsize").want("(integer) 1")
	c.htmx("POST", path, "line", "flushdb", "confirmed", "1").want("OK")
	c.post(path, "line", "dbsize").want("(integer) 0")
	p := c.get(path + "/commands")
	p.want(`{"name":"GET","usage":"GET key","summary":"`, `{"name":"XADD"`, `"CONFIG GET"`)
}
