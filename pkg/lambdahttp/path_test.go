package lambdahttp

import (
	"net/url"
	"testing"
)

func TestEncodedPath(t *testing.T) {
	tests := []struct {
		name    string
		raw     string
		literal bool
		want    string
	}{
		{"plain", "/get/foo", false, "/get/foo"},
		{"plain, maybe decoded", "/get/foo", true, "/get/foo"},
		{"empty", "", true, "/"},
		{"no leading slash", "get", true, "/get"},
		{"empty segments stay", "//set/k/", true, "//set/k/"},
		{"dot segments stay", "/set/k/..", false, "/set/k/.."},

		{"escapes stay", "/set/a%2Fb/%00%FF%25", false, "/set/a%2Fb/%00%FF%25"},
		{"escapes stay when nothing tells that the path was decoded", "/set/a%2Fb/%00%FF", true, "/set/a%2Fb/%00%FF"},
		{"lower case escapes stay", "/set/a%2fb", true, "/set/a%2fb"},

		{"a decoded space", "/set/k/a b", true, "/set/k/a%20b"},
		{"decoded UTF-8", "/set/k/é", true, "/set/k/%C3%A9"},
		{"decoded control characters", "/set/k/\x00\r\n", true, "/set/k/%00%0D%0A"},
		{"decoded JSON", `/set/k/{"a":1}`, true, "/set/k/%7B%22a%22:1%7D"},
		{"a decoded question mark and hash", "/set/k/?#", true, "/set/k/%3F%23"},
		{"a decoded percent sign", "/set/k/100%", true, "/set/k/100%25"},
		{"a percent sign and no hexadecimal digits", "/set/k/%zz", true, "/set/k/%25zz"},
		{"what reads like an escape in a decoded path is none", "/set/k/a b%41", true, "/set/k/a%20b%2541"},

		{"a raw byte beside escapes that are known to be such", "/set/é/%41", false, "/set/%C3%A9/%41"},
		{"a bare percent sign in an encoded path", "/set/100%/%41", false, "/set/100%25/%41"},
		{"what browsers do not encode says nothing", "/set/a[1]|^\\/%41", true, "/set/a[1]%7C%5E%5C/%41"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := EncodedPath(tt.raw, tt.literal); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzEncodedPath(f *testing.F) {
	f.Add("/set/a%2Fb/%00%FF", false)
	f.Add("/set/a b/100%", true)
	f.Add("/?#[]|^\\", true)
	f.Fuzz(func(t *testing.T, raw string, literal bool) {
		got := EncodedPath(raw, literal)
		u, err := url.Parse("https://host" + got)
		if err != nil {
			t.Fatalf("%q is no path: %v", got, err)
		}
		if u.EscapedPath() != got {
			t.Fatalf("%q is seen as %q", got, u.EscapedPath())
		}
		if u.RawQuery != "" || u.Fragment != "" || u.Host != "host" {
			t.Fatalf("%q became more than a path: %+v", got, u)
		}
		if again := EncodedPath(got, literal); again != got {
			t.Fatalf("not stable: %q, then %q", got, again)
		}
	})
}

func FuzzEncodedQuery(f *testing.F) {
	f.Add("EX=100&NX")
	f.Add("a=%00&b=#x y\x00é")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse("https://host/?" + encodedQuery(raw))
		if err != nil {
			t.Fatal(err)
		}
		if want := encodedQuery(raw); u.RawQuery != want || u.Fragment != "" {
			t.Fatalf("got %q and fragment %q, want %q", u.RawQuery, u.Fragment, want)
		}
	})
}
