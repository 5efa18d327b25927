package console

import (
	"fmt"
	"slices"
	"testing"
)

func TestPrefixesOfKeys(t *testing.T) {
	names := []string{"user:1:name", "user:1:mail", "user:2:name", "cart:7", "cart:8", "lonely:1", "plain"}
	for under, want := range map[string][]string{
		"":        {"user: 3", "cart: 2"},
		"user:":   {"user:1: 2"},
		"user:1:": nil,
		"none":    nil,
	} {
		var got []string
		for _, p := range prefixes(names, under) {
			got = append(got, fmt.Sprint(p.Name, " ", p.Count))
		}
		if !slices.Equal(got, want) {
			t.Errorf("under %q: %q, want %q", under, got, want)
		}
	}
	for match, want := range map[string]string{"user:*": "user:", "*": "", "user": "", "u*r:*": "", `a\*b:*`: "a*b:", `x\*`: "", "[ab]*": ""} {
		if got := prefixOf(match); got != want {
			t.Errorf("%q stands for %q, want %q", match, got, want)
		}
	}
	for prefix, want := range map[string]string{"user:1:": "user:", "user:": "", "": ""} {
		if got := above(prefix); got != want {
			t.Errorf("above %q is %q, want %q", prefix, got, want)
		}
	}
}

func TestTheBrowserGoesThroughPrefixes(t *testing.T) {
	c := newTest(t)
	res := c.createDatabase("cache")
	for _, name := range []string{"user:1:name", "user:1:mail", "user:2:name", "a*b:1", "a*b:2", "axb:3"} {
		c.command(res, "SET "+name+" x")
	}
	browser := "/r/" + res.ID + "/browser"
	c.get(browser).want("user:", "a*b:", `match=user%3A%2A`, `match=a%5C%2Ab%3A%2A`).lacks("All keys above")
	c.get(browser+`?match=user:*`).want("user:1:", `match=user%3A1%3A%2A`, "All keys above").lacks("a*b:1")
	c.get(browser+`?match=user:1:*`).want("user:1:name", `href="/console`+browser+`?match=user%3A%2A"`)
	c.get(browser + `?match=a\*b:*`).want("a*b:1").lacks("axb:3")
}
