package server_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheConsoleIsOpenedByItsLink(t *testing.T) {
	m, stop := start(t, "-data", filepath.Join(t.TempDir(), "data"))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	read := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: status %d, %v", resp.Request.URL, resp.StatusCode, err)
		}
		return string(text)
	}
	page := read(client.Get(m.SignInURL()))
	link, err := url.Parse(m.SignInURL())
	if err != nil {
		t.Fatal(err)
	}
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if csrf == nil {
		t.Fatalf("no form in %s", page)
	}
	page = read(client.PostForm(m.URL()+"/console/sign-in/link", url.Values{"csrf": {csrf[1]}, "key": {link.Query().Get("key")}}))
	if !strings.Contains(page, `href="/console/r/default"`) {
		t.Errorf("the overview has no default database: %s", page)
	}
	read(client.Get(m.URL() + "/console/r/default/usage"))
	stop()
}
