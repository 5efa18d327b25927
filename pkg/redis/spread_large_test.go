package redis_test

import (
	"fmt"
	"strings"
	"testing"
)

// What is too large for one transaction in bytes, not in number, goes in steps too.
func TestSpreadElementsOfHundredsOfKilobytes(t *testing.T) {
	d := newTestEngine(t)
	large := func(prefix string, n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf("%s%02d", prefix, i) + strings.Repeat("x", 300<<10)
		}
		return out
	}
	check := func(want string, args ...string) {
		t.Helper()
		if got := d.do(args...); got != want {
			t.Fatalf("%.40q: got %.100s, want %s", args, got, want)
		}
	}
	first, more := large("a", 5), large("b", 25)
	check("(integer) 5", append([]string{"rpush", "l"}, first...)...)
	check("(integer) 30", append([]string{"rpush", "l"}, more...)...)
	check(fmt.Sprintf("%q", more[24]), "lindex", "l", "29")
	check("OK", "ltrim", "l", "0", "1")
	check("(integer) 2", "llen", "l")
	check(fmt.Sprint([]string{fmt.Sprintf("%q", first[0]), fmt.Sprintf("%q", first[1])}), "lrange", "l", "0", "-1")

	fields := func(vs []string) (out []string) {
		for _, v := range vs {
			out = append(out, v[:3], v)
		}
		return out
	}
	names := func(vs []string) (out []string) {
		for _, v := range vs {
			out = append(out, v[:3])
		}
		return out
	}
	check("(integer) 5", append([]string{"hset", "h"}, fields(first)...)...)
	check("(integer) 25", append([]string{"hset", "h"}, fields(more)...)...)
	check(fmt.Sprintf("%q", more[24]), "hget", "h", "b24")
	check("(integer) 24", append([]string{"hdel", "h"}, names(more[:24])...)...)
	check("(integer) 6", "hlen", "h")
}

// Whoever reads a whole list without knowing so takes few calls.
func TestSearchingALongListReadsLargePages(t *testing.T) {
	d := newTestEngine(t)
	push := []string{"rpush", "l"}
	for i := range 10_000 {
		push = append(push, fmt.Sprint(i))
	}
	d.do(push...)
	d.check([2]string{"lpos l 9999", "(integer) 9999"}, [2]string{"lpos l 20", "(integer) 20"})
	if u := d.usage("lpos", "l", "nosuch"); u.Calls > 15 {
		t.Errorf("%d calls", u.Calls)
	}
}
