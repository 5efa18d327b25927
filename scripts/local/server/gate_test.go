package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestOtherWebSitesAreRefused: a page of another site, in the developer's browser, reaches the local
// server. What it may do there is what its own secrets allow it.
func TestOtherWebSitesAreRefused(t *testing.T) {
	url, received := destination(t)
	m, _ := start(t, "-ephemeral", "-topics", "red", "-qstash-dev", "-qstash-dev-addr", "127.0.0.1:0", "-host", "dev.example.com")
	const devToken = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
	port := m.URL()[strings.LastIndex(m.URL(), ":"):]
	devPort := m.QStashDevURL()[strings.LastIndex(m.QStashDevURL(), ":"):]
	publish := "/v2/publish/" + url + "/victim?qstash_token=" + devToken
	get := "/get/k?_token=" + m.Token()
	bearer := "Authorization: Bearer " + m.Token()
	wantText := map[int]string{403: `{"error":"`}
	for _, c := range []struct {
		url, method, path string
		header            []string
		want              int
	}{
		// The development token is no secret: whoever is not the developer is refused.
		{m.QStashDevURL(), "POST", publish, []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 403},
		{m.QStashDevURL(), "POST", publish, []string{"Origin: https://evil.example"}, 403},
		{m.QStashDevURL(), "POST", publish, []string{"Origin: null"}, 403},
		{m.QStashDevURL(), "GET", "/v2/keys?qstash_token=" + devToken, []string{"Sec-Fetch-Site: cross-site"}, 403},
		{m.QStashDevURL(), "POST", publish, []string{"Origin: https://evil.example", "Authorization: Bearer " + devToken}, 403},
		{m.QStashDevURL(), "OPTIONS", publish, []string{"Origin: https://evil.example", "Access-Control-Request-Method: POST"}, 403},
		{m.QStashDevURL(), "POST", publish, []string{"Host: evil.example" + devPort, "Origin: http://evil.example" + devPort, "Sec-Fetch-Site: same-origin"}, 403},
		{m.QStashDevURL(), "POST", publish, []string{"Host: localhost.evil.example"}, 403},
		{m.QStashDevURL(), "POST", publish, []string{"Host: localhost" + devPort, "Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"}, 200},
		{m.QStashDevURL(), "POST", publish, nil, 200},

		{m.URL(), "GET", get, []string{"Origin: https://evil.example"}, 403},
		{m.URL(), "GET", get, []string{"Sec-Fetch-Site: cross-site"}, 403},
		{m.URL(), "GET", get, []string{"Host: rebound.example" + port}, 403},
		{m.URL(), "GET", "/get/k", []string{bearer, "Host: rebound.example"}, 403},
		{m.URL(), "GET", "/console/", []string{"Host: rebound.example" + port}, 403},
		{m.URL(), "GET", "/v2/queues?qstash_token=" + m.QStashToken(), []string{"Sec-Fetch-Site: cross-site"}, 403},
		{m.URL(), "GET", "/kafka/topics", []string{"Origin: https://evil.example"}, 403},

		// Clients in browsers use the Authorization header; pages of this machine are the developer's own.
		{m.URL(), "GET", "/get/k", []string{bearer, "Origin: https://app.example", "Sec-Fetch-Site: cross-site"}, 200},
		{m.URL(), "OPTIONS", "/get/k", []string{"Origin: https://app.example", "Access-Control-Request-Headers: authorization"}, 200},
		{m.URL(), "GET", get, []string{"Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site"}, 200},
		{m.URL(), "GET", get, []string{"Origin: http://[::1]:3000"}, 200},
		{m.URL(), "GET", get, []string{"Origin: http://dev.example.com" + port, "Host: dev.example.com" + port}, 200},
		{m.URL(), "GET", get, []string{"Host: app.localhost:1234"}, 200},
		{m.URL(), "GET", get, []string{"Host: host.docker.internal" + port}, 200},
		{m.URL(), "GET", get, []string{"Host: [::1]" + port}, 200},
		{m.URL(), "GET", get, []string{"Sec-Fetch-Site: none"}, 200},
		{m.URL(), "GET", get, nil, 200},
		// A link to the console is followed; it checks forms itself.
		{m.URL(), "GET", "/console/sign-in", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
		{m.URL(), "POST", "/console/sign-in", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 403},
	} {
		r, err := http.NewRequest(c.method, c.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range c.header {
			name, value, _ := strings.Cut(h, ": ")
			if name == "Host" {
				r.Host = value
				continue
			}
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.want || !strings.HasPrefix(c.path, "/console") && !strings.HasPrefix(string(text), wantText[c.want]) {
			t.Errorf("%s %.40s %q: %d %.200s, want %d", c.method, c.path, c.header, resp.StatusCode, text, c.want)
		}
	}
	for range 2 { // those that were not refused
		<-received
	}
	select {
	case r := <-received:
		t.Error(fmt.Sprint("delivered for another site: ", r.URL))
	default:
	}
}
