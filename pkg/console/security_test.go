package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPostsNeedTheSessionsToken(t *testing.T) {
	c := newTest(t)
	c.get("/")
	good := c.csrf
	_, other := c.otherAccount("other@example.com")
	other.get("/")
	for name, token := range map[string]string{"none": "", "wrong": "x" + good[1:], "another session's": other.csrf} {
		c.csrf = token
		c.post("/sign-out").is(403)
		if got := c.get("/"); got.path != "/" {
			t.Errorf("%s token: signed out", name)
		}
	}
	c.csrf = good
	c.send("POST", "/sign-out", "", "X-CSRF-Token", good, "Origin", "https://evil.example").is(403)
	c.send("POST", "/sign-out", "", "X-CSRF-Token", good, "Sec-Fetch-Site", "cross-site").is(403)
	c.post("/sign-out").is(200).want("Sign in")
}

func TestCookiesAreForTheServerAlone(t *testing.T) {
	c := newTest(t)
	for _, secure := range []bool{false, true} {
		h, err := New(Config{Control: c.control, Store: c.store, SecureCookies: secure, Now: c.console.now})
		c.ok(err)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", Base+"/sign-in", nil))
		cookies := w.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("cookies %v", cookies)
		}
		k := cookies[0]
		if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Secure != secure || strings.HasPrefix(k.Name, "__Host-") != secure {
			t.Errorf("cookie %v", k)
		}
		if hsts := w.Header().Get("Strict-Transport-Security"); (hsts != "") != secure {
			t.Errorf("Strict-Transport-Security %q", hsts)
		}
	}
}

func TestPagesRunNothingInline(t *testing.T) {
	c := newTest(t)
	p := c.get("/")
	csp := p.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("no %s in %s", want, csp)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy %s", csp)
	}
	p.lacks(" style=", " onclick=", "<style", "<script>", "javascript:")
	if got := p.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %s", got)
	}
}

func TestAssetsMayBeKept(t *testing.T) {
	c := newTest(t)
	for name, a := range c.console.assets.byName {
		p := c.get("/assets/" + a.path)
		if !strings.Contains(p.header.Get("Cache-Control"), "immutable") || p.header.Get("Content-Type") != a.contentType || p.body != string(a.body) {
			t.Errorf("%s: %v", name, p.header)
		}
	}
	c.send("GET", "/assets/0/app.css", "").is(404)
	c.send("GET", "/assets/", "").is(404)
}

func TestVendoredFilesAreThoseOfTheirPackages(t *testing.T) {
	for file, want := range map[string]string{
		"htmx.min.js":   "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
		"uplot.min.js":  "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
		"uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	} {
		text, err := assetFiles.ReadFile("assets/vendor/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if got := checksum(text); got != want {
			t.Errorf("%s: SHA-256 %s, want %s", file, got, want)
		}
	}
}

func TestUnknownPagesAndMethods(t *testing.T) {
	c := newTest(t)
	c.try("/nothing").is(404).want("Page not found")
	c.try("/r/nothing").is(404)
	c.newBrowser().get("/nothing").want("Sign in") // visitors do not learn what there is
}

func checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
