package rest

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "", "/get/foo", "/set/a%2Fb/%00%FF", "//", "/a//", "/%", "/%4", "/a%zz/b", "/a+b", "no/slash"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		args, err := pathArgs(path)
		var want []string
		var wantErr error
		if trimmed := strings.TrimPrefix(path, "/"); trimmed != "" {
			for _, segment := range strings.Split(trimmed, "/") {
				arg, err := url.PathUnescape(segment)
				if err != nil {
					wantErr = err
				}
				want = append(want, arg)
			}
		}
		if (err != nil) != (wantErr != nil) || err == nil && !slices.Equal(args, want) {
			t.Fatalf("%q: %q, %v; want %q, %v", path, args, err, want, wantErr)
		}
		if err != nil {
			return
		}
		// Arguments escaped again make the same path, as far as they tell.
		escaped := make([]string, len(args))
		for i, a := range args {
			escaped[i] = url.PathEscape(a)
		}
		again, err := pathArgs("/" + strings.Join(escaped, "/"))
		if err != nil || !slices.Equal(again, args) {
			t.Fatalf("%q escaped again: %q, %v", args, again, err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "EX=100", "NX", "EX=100&NX&_token=t", "a=b=c", "a+b=%2B", "&&", "=", "=v", "_token", "%5Ftoken=x", "a=%", "a=%zz&_token=t", "a;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		args, token, err := queryArgs(raw)
		var want []string
		wantToken := ""
		bad := false
		for _, parameter := range strings.Split(raw, "&") {
			if parameter == "" {
				continue
			}
			pair := strings.SplitN(parameter, "=", 2)
			name, err := url.QueryUnescape(pair[0])
			if err != nil {
				bad = true
				continue
			}
			fields := []string{name}
			if len(pair) == 2 {
				value, err := url.QueryUnescape(pair[1])
				if err != nil {
					bad = true
					continue
				}
				fields = append(fields, value)
			}
			if name != "_token" {
				want = append(want, fields...)
			} else if wantToken == "" && len(pair) == 2 {
				wantToken = fields[1]
			}
		}
		if token != wantToken {
			t.Fatalf("%q: token %q, want %q", raw, token, wantToken)
		}
		if (err != nil) != bad || !bad && !slices.Equal(args, want) || bad && args != nil {
			t.Fatalf("%q: %q, %v; want %q, bad %v", raw, args, err, want, bad)
		}
	})
}
