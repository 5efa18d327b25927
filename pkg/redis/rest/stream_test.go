package rest

import (
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
)

func TestStreamNames(t *testing.T) {
	for _, tt := range []struct {
		target   string
		channels []string
	}{
		{"/subscribe/ch", []string{"ch"}},
		{"/SUBSCRIBE/a/b/", []string{"a", "b"}},
		{"/subscribe/user.?", []string{"user.?"}},
		{"/subscribe/a/user.?x=1&y=%20+", []string{"a", "user.?x=1&y= +"}},
		{"/subscribe/ch?_token=good", []string{"ch"}},
		{"/subscribe/ch?x&_token=good", []string{"ch?x"}},
		{"/subscribe/a%2Fb%3F", []string{"a/b?"}},
		{"/subscribe/c?100%", nil},
		{"/subscribe", nil},
		{"/subscribe/", nil},
		{"/subscribe?x", nil},
	} {
		s := newServer(t, nil)
		s.engine.refuse = redis.Error("NOPERM no")
		w := s.do(t, "POST", tt.target, "[]", "Accept", "text/event-stream")
		if w.Code != 400 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: status %d, %s", tt.target, w.Code, w.Header())
		}
		if tt.channels == nil {
			s.expectNothingRan(t)
		} else if got := s.engine.commands[0]; !slices.Equal(got, tt.channels) {
			t.Errorf("%s: channels %q, want %q", tt.target, got, tt.channels)
		}
	}
}

func TestStreamsThatCannotBe(t *testing.T) {
	for _, tt := range []struct{ method, target, want string }{
		{"POST", "/subscribe", `{"error":"ERR wrong number of arguments for 'subscribe' command"}`},
		{"POST", "/psubscribe/", `{"error":"ERR wrong number of arguments for 'psubscribe' command"}`},
		{"POST", "/monitor/x", `{"error":"ERR wrong number of arguments for 'monitor' command"}`},
	} {
		s := newServer(t, nil)
		expect(t, s.do(t, tt.method, tt.target, ""), 400, tt.want)
		s.expectNothingRan(t)
	}
	s := newServer(t, nil)
	expect(t, s.do(t, "HEAD", "/subscribe/c", ""), 405, "")
	s.expectNothingRan(t)
	expect(t, s.doAs(t, "", "POST", "/subscribe/c", "[]"), 401, unauthorized)
}

func TestEventFrames(t *testing.T) {
	for payload, want := range map[string]string{
		"":                     "data: \n\n",
		"message,c,hi":         "data: message,c,hi\n\n",
		"a\nb":                 "data: a\ndata: b\n\n",
		"a\r\nb\rc":            "data: a\ndata: b\ndata: c\n\n",
		"x\n\ndata: message,c": "data: x\ndata: \ndata: data: message,c\n\n",
		"\r\r":                 "data: \ndata: \ndata: \n\n",
	} {
		if got := string((&events{}).append(nil, "", payload)); got != want {
			t.Errorf("%q: %q, want %q", payload, got, want)
		}
	}
}

// The official client takes each line for an event, and reads payloads as JSON if it can.
func TestEventsOfOneLine(t *testing.T) {
	for payload, want := range map[string]string{
		"hi":                            "hi",
		"":                              "",
		"two\nlines":                    `"two\nlines"`,
		"x\r\ndata: message,other,y":    `"x\r\ndata: message,other,y"`,
		"{\n  \"a\": [1,\r\n 2]\n}\n":   `{"a":[1,2]}`,
		"{\"a\":1,\n\"a\":2}":           `{"a":1,"a":2}`,
		"\"already\\nquoted\"":          `"already\nquoted"`,
		"1\n":                           "1",
		"no UTF-8 \xff\n":               "\"no UTF-8 \ufffd\\n\"",
		"\u2028 is no line break\nhere": "\"\u2028 is no line break\\nhere\"",
	} {
		got := string((&events{lines: true}).append(nil, "message,a\nb,", payload))
		head := "message,a\nb,"
		if got != "data: "+inLine.Replace(head)+want+"\n\n" {
			t.Errorf("%q: %q, want the payload %q", payload, got, want)
		}
		if !strings.ContainsAny(payload, "\r\n") {
			continue
		}
		if got := string((&events{lines: true}).append(nil, "message,c,", payload)); got != "data: message,c,"+want+"\n\n" {
			t.Errorf("%q: %q, want the payload %q", payload, got, want)
		}
	}
}
