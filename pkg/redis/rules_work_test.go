package redis_test

import (
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// A long pattern looks at all of it for each byte of a name: rules that take too long to be compared refuse what they are
// asked about, and what they take is part of a request's budget.
func TestRulesWithLongPatterns(t *testing.T) {
	d := newBoundedEngine(t, smallBudget)
	long := "*" + strings.Repeat("a", 10_000) + "b"
	_, a := addUser(t, d, "alice", "+@all", "~"+long, "&"+long, "~*"+strings.Repeat("a", 500)+"b", "~ok:*")
	name := strings.Repeat("a", 20_000)
	const (
		tooDear = "(error) NOPERM the rules are too many, or too long, to be compared with all names of the command"
		tooMuch = "(error) ERR max request work exceeded"
	)
	for line, want := range map[string]string{
		"get " + name: tooDear, "mget ok:1 " + name: tooDear, "publish " + name + " m": tooDear, "set ok:1 v": "OK",
	} {
		if got := d.doAs(a, line); got != want {
			t.Errorf("%.20s: %.200s", line, got)
		}
	}
	var w resp.Writer
	script := []string{"eval", "for i = 1, 1000 do redis.pcall('get', ARGV[1]) end return redis.call('set', 'ok:1', 'w')", "0", name}
	if err := d.e.Do(t.Context(), d.database(), a, script, &w); err != nil || !strings.HasPrefix(render(t, w.Buf), tooMuch) {
		t.Errorf("a script: %.200s, %v", w.Buf, err)
	}
	w.Reset()
	gets := repeat(50, func(int) []string { return []string{"get", name} })
	d.e.Pipeline(t.Context(), d.database(), a, append(gets, []string{"set", "ok:1", "w"}), &w)
	if last := string(w.Buf[max(w.Len()-100, 0):]); !strings.Contains(last, "ERR max request work exceeded") {
		t.Errorf("a pipeline ends with %s", last)
	}
	w.Reset()
	sets := repeat(200, func(int) []string { return []string{"set", "ok:1" + name[:1000], "w"} })
	if err := d.e.Multi(t.Context(), d.database(), a, sets, &w); err == nil || !strings.HasPrefix(err.Error(), "ERR max request work exceeded") {
		t.Errorf("a transaction: %v", err)
	}
	if got := d.cmd("get ok:1"); got != `"v"` {
		t.Errorf("what followed was carried out: %s", got)
	}
}

// What the patterns of subscribers take to be compared with a channel is bounded for whoever publishes, and for them.
func TestSubscribersWithLongPatterns(t *testing.T) {
	d := newBoundedEngine(t, smallBudget)
	pattern := "*" + strings.Repeat("a", 1000) + "b"
	s := subscribe(t, d.e, nil, []string{"x*", pattern, "?" + pattern, "??" + pattern})
	channel := strings.Repeat("a", 1010) + "b"
	if got := d.cmd("publish " + channel + " m"); got != "(integer) 3" {
		t.Errorf("PUBLISH: %s", got)
	}
	receive(t, s, 3)
	if got := d.cmd("publish " + strings.Repeat("a", 5000) + "b m"); got != "(integer) 3" {
		t.Errorf("PUBLISH: %s", got)
	}
	if m, err := s.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "patterns of the subscription") {
		t.Errorf("the subscription receives %.50q, %v", m.Channel, err)
	}
	if got := d.cmd("publish " + strings.Repeat("a", 30_000) + " m"); !strings.HasPrefix(got, "(error) ERR max request work exceeded") {
		t.Errorf("PUBLISH: %s", got)
	}
}
