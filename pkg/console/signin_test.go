package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestVisitorsAreAskedToSignIn(t *testing.T) {
	c := newTest(t)
	res := c.createDatabase("first")
	visitor := c.newBrowser()
	for _, p := range c.console.pages {
		if p.visitor || p.method() != http.MethodGet {
			continue
		}
		path := strings.ReplaceAll(p.path(), "{id}", res.ID)
		got := visitor.get(path)
		if !strings.HasPrefix(got.path, "/sign-in") {
			t.Errorf("%s shows %s", p.route, got.path)
		}
		got.lacks("first")
	}
}

func TestSignInByKeyGoesOnToThePageThatWasAskedFor(t *testing.T) {
	c := newTest(t)
	visitor := c.newBrowser()
	visitor.get("/?x=1")
	visitor.get("/sign-in?next=/console/%3Fx%3D1").want(`value="/console/?x=1"`)
	got := visitor.post("/sign-in", "email", "Admin@example.com", "key", c.key, "next", "/console/?x=1").is(200)
	if got.path != "/?x=1" {
		t.Errorf("it goes on to %s", got.path)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example/console/", "/other", `/console/\\evil`, "javascript:alert(1)",
		"/console/../../evil", "/console/../get/k", "/console/%2e%2e/get/k", "/console/%2E%2e%2f..%2fevil", "/console/./..//evil.example", "/console/.."} {
		other := c.newBrowser()
		other.get("/sign-in")
		if got := other.post("/sign-in", "email", "admin@example.com", "key", c.key, "next", next); got.path != "/" {
			t.Errorf("next=%s goes on to %s", next, got.path)
		}
	}
}

func TestWrongKeysAreRefusedAndCounted(t *testing.T) {
	c := newTest(t)
	visitor := c.newBrowser()
	visitor.get("/sign-in")
	for i := range maxAttempts {
		visitor.post("/sign-in", "email", fmt.Sprintf("nobody%d@example.com", i), "key", "wrong").is(401).want("do not belong together")
	}
	got := visitor.post("/sign-in", "email", "admin@example.com", "key", "wrong").is(429).want("too many failed attempts")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	visitor.post("/sign-in/link", "key", "wrong").is(429)
	c.now = c.now.Add(attemptWindow)
	visitor.post("/sign-in", "email", "admin@example.com", "key", "wrong").is(401)
}

// TestNobodyLocksAnOwnerOut: failures of others, for the owner's e-mail address and from the owner's
// address, do not keep a good key or link out; nor do successes, however many.
func TestNobodyLocksAnOwnerOut(t *testing.T) {
	c := newTest(t)
	attacker := c.newBrowser()
	attacker.get("/sign-in")
	for range 2 * maxAttempts {
		attacker.post("/sign-in", "email", "admin@example.com", "key", "wrong")
	}
	attacker.post("/sign-in", "email", "admin@example.com", "key", "wrong").is(429)
	for range maxAttempts + 1 {
		owner := c.newBrowser()
		owner.get("/sign-in")
		owner.post("/sign-in", "email", "ADMIN@example.com", "key", c.key).is(200).want("Overview")
	}
	link, err := c.console.SignInLink(t.Context(), c.admin.ID, time.Hour)
	c.ok(err)
	_, secret, _ := strings.Cut(link, "key=")
	owner := c.newBrowser()
	owner.get(strings.TrimPrefix(link, Base))
	owner.post("/sign-in/link", "key", secret).is(200).want("Overview")
}

func TestASignInLinkWorksOnceAndNotForLong(t *testing.T) {
	c := newTest(t)
	for _, late := range []bool{false, true} {
		link, err := c.console.SignInLink(t.Context(), c.admin.ID, time.Hour)
		c.ok(err)
		_, secret, _ := strings.Cut(link, "key=")
		if late {
			c.now = c.now.Add(time.Hour)
		} else {
			first := c.newBrowser()
			first.get(strings.TrimPrefix(link, Base))
			first.get(strings.TrimPrefix(link, Base)) // looking at it uses nothing up
			first.post("/sign-in/link", "key", secret).is(200).want("Overview")
		}
		second := c.newBrowser()
		second.get("/sign-in")
		second.post("/sign-in/link", "key", secret).is(401).want("used already")
	}
}

func TestSigningOutEndsTheSession(t *testing.T) {
	c := newTest(t)
	u := c.server.URL + Base + "/"
	req, err := http.NewRequest("GET", u, nil)
	c.ok(err)
	stolen := c.client.Jar.Cookies(req.URL)
	c.get("/")
	c.post("/sign-out").is(200).want("Sign in")
	c.client.Jar.SetCookies(req.URL, stolen)
	if got := c.get("/"); got.path != "/sign-in" {
		t.Errorf("the old cookie shows %s", got.path)
	}
}

func TestSessionsEndByThemselves(t *testing.T) {
	c := newTest(t)
	c.now = c.now.Add(sessionTime)
	if got := c.get("/"); got.path != "/sign-in" {
		t.Errorf("an old session shows %s", got.path)
	}
}

func TestEndingOtherSessionsKeepsThisOne(t *testing.T) {
	c := newTest(t)
	other := c.newBrowser()
	other.signIn(c.admin)
	_, stranger := c.otherAccount("other@example.com")
	req, err := http.NewRequest("GET", c.server.URL+Base+"/", nil)
	c.ok(err)
	for _, cookie := range c.client.Jar.Cookies(req.URL) {
		if cookie.Name == c.console.sessionCookie() {
			c.ok(c.console.sessions.endOthers(t.Context(), cookie.Value))
		}
	}
	if got := c.get("/"); got.path != "/" {
		t.Errorf("this session shows %s", got.path)
	}
	if got := other.get("/"); got.path != "/sign-in" {
		t.Errorf("the other session shows %s", got.path)
	}
	if got := stranger.get("/"); got.path != "/" {
		t.Errorf("another account's session shows %s", got.path)
	}
}

// The Developer API revokes keys without knowing of sessions.
func TestASessionEndsWithItsAPIKey(t *testing.T) {
	c := newTest(t)
	key, text, err := c.control.CreateAPIKey(t.Context(), c.admin.ID, "leaked")
	c.ok(err)
	thief, owner := c.newBrowser(), c.newBrowser()
	for browser, secret := range map[*browser]string{thief: text, owner: c.key} {
		browser.get("/sign-in")
		browser.post("/sign-in", "email", "admin@example.com", "key", secret).is(200)
	}
	thief.get("/account").want("leaked")
	c.ok(c.control.RevokeAPIKey(t.Context(), c.admin.ID, key.ID))
	if got := thief.post("/account/keys", "name", "another"); got.path != "/sign-in" && got.status == 200 {
		t.Errorf("after its key was revoked, the session is answered %d at %s", got.status, got.path)
	}
	if got := thief.get("/account"); !strings.HasPrefix(got.path, "/sign-in") {
		t.Errorf("after its key was revoked, the session shows %s", got.path)
	}
	for _, session := range []*browser{owner, c.browser} {
		session.get("/account").is(200).lacks("leaked", "another")
	}
}
