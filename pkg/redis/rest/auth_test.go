package rest

import (
	"testing"
)

const unauthorized = `{"error":"WRONGPASS invalid or missing auth token."}`

func TestAuthentication(t *testing.T) {
	for _, tc := range []struct {
		name          string
		authorization string
		target        string
		ok            bool
	}{
		{"bearer", "Bearer good", "/get/k", true},
		{"scheme in any case", "bEARER good", "/get/k", true},
		{"blanks around", "Bearer   good  ", "/get/k", true},
		{"bare token", "good", "/get/k", true},
		{"query", "", "/get/k?_token=good", true},
		{"query, escaped", "", "/get/k?_token=to+ken%2B/=", true},
		{"query with other parameters", "", "/get/k?a=b&_token=good&c", true},
		{"query wins over a bad header", "Bearer bad", "/get/k?_token=good", true},
		{"bad query wins over a good header", "Bearer good", "/get/k?_token=bad", false},
		{"query of a JSON command", "", "/?_token=good", true},
		{"query of a pipeline", "", "/pipeline?_token=good", true},
		{"query of a transaction", "", "/multi-exec/?_token=good", true},
		{"none", "", "/get/k", false},
		{"no token after the scheme", "Bearer ", "/get/k", false},
		{"another scheme", "Basic good", "/get/k", false},
		{"unknown token", "Bearer bad", "/get/k", false},
		{"token in another case", "Bearer GOOD", "/get/k", false},
		{"token of another product", "Bearer other-product", "/get/k", false},
		{"token from before a reset", "Bearer old-generation", "/get/k", false},
		{"token of a generation to come", "Bearer new-generation", "/get/k", false},
		{"revoked token", "Bearer revoked", "/get/k", false},
		{"token of no database", "Bearer no-database", "/get/k", false},
		{"before the path is looked at", "", "/monitor", false},
		{"before the body is looked at", "", "/pipeline", false},
		{"before the query is looked at", "", "/get/k?%", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, nil)
			body := `[["ping"]]`
			if tc.target == "/?_token=good" {
				body = `["ping"]`
			}
			w := s.doAs(t, tc.authorization, "POST", tc.target, body)
			if tc.ok {
				if w.Code != 200 || len(s.engine.calls) != 1 {
					t.Errorf("answer %d %s, calls %v", w.Code, w.Body, s.engine.calls)
				}
				return
			}
			expect(t, w, 401, unauthorized)
			s.expectNothingRan(t)
		})
	}
}

func TestReadOnlyTokens(t *testing.T) {
	for target, body := range map[string]string{"/": `["get","k"]`, "/pipeline": `[["get","k"]]`, "/multi-exec": `[["get","k"]]`, "/get/k": ""} {
		s := newServer(t, nil)
		s.doAs(t, "Bearer reader", "POST", target, body)
		if len(s.engine.calls) != 1 || !s.engine.access.ReadOnly {
			t.Errorf("%s: calls %v with access %v", target, s.engine.calls, s.engine.access)
		}
	}
}

func TestHostNamesOfDatabases(t *testing.T) {
	for _, tc := range []struct {
		domain string
		host   string
		ok     bool
	}{
		{"redis.example.com", "db1.redis.example.com", true},
		{"redis.example.com", "DB1.Redis.Example.Com", true},
		{"redis.example.com", "db1.redis.example.com:8443", true},
		{"redis.example.com", "db1.redis.example.com.", true},
		{".redis.example.com.", "db1.redis.example.com", true},
		{"redis.example.com", "db2.redis.example.com", false},
		{"redis.example.com", "db2.redis.example.com:443", false},
		{"redis.example.com", "x.db1.redis.example.com", false},
		{"redis.example.com", "db1.x.redis.example.com", false},
		{"redis.example.com", ".redis.example.com", false},
		{"redis.example.com", "redis.example.com", true},
		{"redis.example.com", "db2redis.example.com", true},
		{"redis.example.com", "abc.lambda-url.eu-central-1.on.aws", true},
		{"redis.example.com", "127.0.0.1:1234", true},
		{"redis.example.com", "[::1]:1234", true},
		{"", "db2.redis.example.com", true},
	} {
		t.Run(tc.host, func(t *testing.T) {
			s := newServer(t, func(c *Config) { c.Domain = tc.domain })
			w := s.doAs(t, "Bearer good", "GET", "http://"+tc.host+"/ping", "")
			if tc.ok {
				expect(t, w, 200, `{"result":"PONG"}`)
				return
			}
			expect(t, w, 401, unauthorized)
			s.expectNothingRan(t)
		})
	}
}
