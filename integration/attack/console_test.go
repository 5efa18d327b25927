package attack

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// cookies are those of the console that a browser has, by name.
func (b browser) cookies() map[string]string {
	b.a.Helper()
	u, err := url.Parse(b.a.url() + "/console/")
	if err != nil {
		b.a.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range b.client.Jar.Cookies(u) {
		out[c.Name] = c.Value
	}
	return out
}

// give gives a browser cookies, as somebody does who can set them, or has stolen them.
func (b browser) give(cookies map[string]string) {
	b.a.Helper()
	u, err := url.Parse(b.a.url() + "/console/")
	if err != nil {
		b.a.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.a.Fatal(err)
	}
	var set []*http.Cookie
	for name, value := range cookies {
		set = append(set, &http.Cookie{Name: name, Value: value, Path: "/"})
	}
	jar.SetCookies(u, set)
	b.client.Jar = jar
}

// isIn reports whether a browser is signed in.
func (b browser) isIn() bool {
	b.a.Helper()
	return b.do("GET", "/console/", nil).status == http.StatusOK
}

// csrf is the session's token.
func (b browser) csrf() string {
	b.a.Helper()
	found := csrfMeta.FindStringSubmatch(b.do("GET", "/console/", nil).body)
	if found == nil {
		b.a.Fatal("no page has the session's token")
	}
	return found[1]
}

// Sessions are made anew by signing in, each has its own secrets, and ends for good by signing out.
func testSessions(a *target) {
	email, key := a.server.Var("UPSTASH_EMAIL"), a.server.Var("UPSTASH_API_KEY")
	signedIn := func() browser {
		a.Helper()
		b := a.browser()
		if r := b.signIn(email, key, ""); r.status != http.StatusSeeOther {
			a.Fatalf("signing in is answered %s", r)
		}
		for _, set := range b.do("GET", "/console/", nil).header.Values("Set-Cookie") {
			checkCookie(a, set)
		}
		return b
	}

	// What somebody else has put into the browser before is not what it has afterwards.
	victim := a.browser()
	victim.do("GET", "/console/sign-in", nil)
	before := victim.cookies()
	page := victim.do("GET", "/console/sign-in", nil)
	csrf := csrfField.FindStringSubmatch(page.body)
	r := victim.do("POST", "/console/sign-in", url.Values{"csrf": {csrf[1]}, "email": {email}, "key": {key}})
	cookies := r.header.Values("Set-Cookie")
	if r.status != http.StatusSeeOther || len(cookies) == 0 {
		a.Fatalf("signing in is answered %s, cookies %q", r, cookies)
	}
	for _, set := range cookies {
		checkCookie(a, set)
	}
	after := victim.cookies()
	same := true
	for name, value := range after {
		same = same && before[name] == value
	}
	if same {
		a.Errorf("the cookies before signing in, %v, are those behind it", before)
	}
	thief := a.browser()
	thief.give(before)
	if thief.isIn() {
		a.Error("who has the cookies of before is signed in, too")
	}
	fixed := map[string]string{}
	for name := range after {
		fixed[name] = "fixed-by-somebody-else"
	}
	thief.give(fixed)
	if thief.isIn() {
		a.Error("cookies of anything are a session")
	}
	if r := thief.signIn(email, key, ""); r.status == http.StatusSeeOther && strings.Contains(strings.Join(thief.values(), " "), "fixed-by") && thief.isIn() {
		thief.give(fixed)
		if thief.isIn() {
			a.Error("signing in has made a session of what was given")
		}
	}

	// Two sessions of one owner.
	one, two := signedIn(), signedIn()
	if one.csrf() == two.csrf() {
		a.Error("two sessions have the same token")
	}
	stolen := one.cookies()
	post := func(b browser, csrf string, header ...string) answer {
		a.Helper()
		return b.do("POST", "/console/new", url.Values{"csrf": {csrf}, "product": {"redis"}, "name": {"made-by-another-site"}}, header...)
	}
	host := strings.TrimPrefix(a.url(), "http://")
	for name, r := range map[string]answer{
		"no token":                       post(one, ""),
		"another session's token":        post(one, two.csrf()),
		"a token and another site":       post(one, one.csrf(), "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"),
		"a token and no site":            post(one, one.csrf(), "Origin", "null"),
		"a token and a site beside":      post(one, one.csrf(), "Origin", "http://"+host+".evil.example"),
		"a token and another port":       post(one, one.csrf(), "Origin", "http://"+strings.Split(host, ":")[0]+":1"),
		"a token and a site of old":      post(one, one.csrf(), "Sec-Fetch-Site", "cross-site"),
		"a token and a sibling":          post(one, one.csrf(), "Sec-Fetch-Site", "same-site", "Origin", "http://other.localhost"),
		"a token in the query":           one.do("POST", "/console/new?csrf="+url.QueryEscape(one.csrf()), url.Values{"product": {"redis"}, "name": {"made-by-another-site"}}),
		"a session of nobody, its token": post(a.browser(), one.csrf()),
	} {
		if r.status < 300 || r.status == http.StatusSeeOther && !strings.Contains(r.header.Get("Location"), "sign-in") {
			a.Errorf("%s: a form is answered %s, %s", name, r, r.header.Get("Location"))
		}
	}
	if list := a.manage("GET", "/v2/redis/databases", nil); strings.Contains(list.body, "made-by-another-site") {
		a.Error("a form of another site has made a database")
	}
	if r := post(one, one.csrf(), "Origin", a.url()); r.status != http.StatusSeeOther || !strings.Contains(a.manage("GET", "/v2/redis/databases", nil).body, "made-by-another-site") {
		a.Errorf("the owner's own form is answered %s", r)
	}
	if r := one.do("POST", "/console/sign-out", url.Values{"csrf": {"wrong"}}); r.status < 400 || !one.isIn() {
		a.Errorf("another site signs out: %s", r)
	}
	if r := one.do("GET", "/console/sign-out", nil); r.status < 400 || !one.isIn() {
		a.Errorf("a link signs out: %s", r)
	}
	if r := one.do("POST", "/console/sign-out", url.Values{"csrf": {one.csrf()}}); r.status != http.StatusSeeOther {
		a.Errorf("signing out is answered %s", r)
	}
	thief.give(stolen)
	if thief.isIn() {
		a.Error("cookies go on after signing out")
	}
	if !two.isIn() {
		a.Error("signing out ends another session")
	}

	// Many at once.
	done := make(chan browser)
	for range 8 {
		b := a.browser()
		go func() {
			b.signIn(email, key, "")
			done <- b
		}()
	}
	seen := map[string]bool{}
	for range 8 {
		b := <-done
		if !b.isIn() {
			a.Error("one of eight who sign in at once is not in")
		}
		seen[b.csrf()] = true
	}
	if len(seen) != 8 {
		a.Errorf("eight who sign in at once have %d sessions", len(seen))
	}

	// Ways round the sign-in.
	for _, path := range []string{"/console", "/console//", "/console/./", "/console/x/..", "/console/%2e%2e/console/", "/CONSOLE/", "/console/;/", "/console/%00", "//console/", "/console/sign-in/../", "/console/assets/../", "/console/assets/%2e%2e/", "/console/index.html"} {
		if r := a.browser().do("GET", path, nil); r.status == http.StatusOK && csrfMeta.MatchString(r.body) {
			a.Errorf("%s shows a page to anybody: %s", path, r)
		}
	}
	for _, header := range [][]string{{"X-Original-URL", "/console/"}, {"X-Rewrite-URL", "/console/"}, {"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-For", "127.0.0.1"}, {"Forwarded", "host=evil.example"}, {"X-HTTP-Method-Override", "GET"}} {
		r := a.browser().do("GET", "/console/", nil, header...)
		if to := r.header.Get("Location"); r.status == http.StatusOK || strings.Contains(to, "evil") {
			a.Errorf("%v: %s, %s", header, r, to)
		}
	}
	for _, next := range []string{"///evil.example", "/%09/evil.example", "\t//evil.example", " //evil.example", "/console/\\evil.example", "/console@evil.example", "http:/console/", "/console/%0d%0aSet-Cookie:a=b", "/console/..%2f..%2fx", "/console/%2e%2e%2fx", "/console.evil.example/", "/console/?next=//evil.example", "/console/#//evil.example", "\\\\evil.example", "/console/\x00", "HTTPS://evil.example", "//evil.example/console/", "/console/\u2028//evil.example", "/sign-in", "data:text/html,x"} {
		r := a.browser().signIn(email, key, next)
		to := r.header.Get("Location")
		at, err := url.Parse(to)
		if r.status == http.StatusSeeOther && (err != nil || at.Host != "" || at.Scheme != "" || !strings.HasPrefix(to, "/console/") || strings.HasPrefix(to, "//") || strings.Contains(at.Path, "..") || strings.ContainsAny(to, "\\\r\n\t")) {
			a.Errorf("next=%q leads to %q", next, to)
		}
	}
}

// values are the values of a browser's cookies.
func (b browser) values() (out []string) {
	for _, value := range b.cookies() {
		out = append(out, value)
	}
	return out
}

// checkCookie checks that scripts, and other sites, do not get at a cookie.
func checkCookie(a *target, set string) {
	a.Helper()
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/console"} {
		if !strings.Contains(set, want) {
			a.Errorf("a cookie without %s: %s", want, set)
		}
	}
	if strings.Contains(set, "Domain=") {
		a.Errorf("a cookie for other hosts: %s", set)
	}
}
