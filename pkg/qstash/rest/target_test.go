package rest

import (
	"strings"
	"testing"
)

func FuzzDestination(f *testing.F) {
	f.Add("https://example.com/a//b", "x=1&qstash_token=t&upstash-retries=3&y")
	f.Add("https%3A%2F%2Fexample.com", "")
	f.Add("https:/example.com", "a")
	f.Fuzz(func(t *testing.T, raw, query string) {
		_, rest := ours(query)
		for pair := range strings.SplitSeq(rest, "&") {
			if strings.HasPrefix(pair, "qstash_token=") || strings.HasPrefix(strings.ToLower(pair), "upstash-") && !strings.Contains(pair, "%") {
				t.Errorf("%q goes to the destination", pair)
			}
		}
		got := destination(raw, rest)
		if isURL(raw) && !strings.Contains(raw, "?") && rest != "" && got != raw+"?"+rest {
			t.Errorf("%q and %q make %q", raw, rest, got)
		}
	})
}
