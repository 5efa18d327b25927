package rest

import (
	"slices"
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
		if got := string(appendEvent(nil, payload)); got != want {
			t.Errorf("%q: %q, want %q", payload, got, want)
		}
	}
}
