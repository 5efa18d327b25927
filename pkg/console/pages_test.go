package console

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/token"
)

// verified reads a token's claims, if control's key has signed it.
func (w *world) verified(text string, product string) token.Claims {
	w.Helper()
	keys, err := w.control.SigningKeys(w.Context())
	w.ok(err)
	public, err := base64.StdEncoding.DecodeString(keys[len(keys)-1].Public)
	w.ok(err)
	v, err := token.NewVerifier(token.VerifierConfig{Keys: []ed25519.PublicKey{public}, Product: product, Now: func() time.Time { return w.now }})
	w.ok(err)
	claims, err := v.Verify(w.Context(), text)
	w.ok(err)
	return claims
}

// use adds usage of an hour to a resource.
func (w *world) use(res *control.Resource, at time.Time, c meter.Counters, latency time.Duration) {
	w.Helper()
	sum := meter.Sum{Resource: usageOf(res), Class: meter.ClassRead, Hour: at.UTC().Truncate(time.Hour), Counters: c}
	sum.Latency.Add(latency, c.Requests)
	folder := meter.NewFolder(meter.FolderConfig{Store: w.store, Now: func() time.Time { return w.now }})
	_, err := folder.Fold(w.Context(), []meter.Entry{{Instance: res.ID + at.String(), Sum: sum}})
	w.ok(err)
}

func TestOverviewShowsWhatTheMonthHasUsed(t *testing.T) {
	c := newTest(t)
	c.get("/").want("Nothing here yet", `href="/console/new"`)
	db := c.createDatabase("cache")
	c.createCluster("events")
	c.use(db, c.now.AddDate(0, 0, -3), meter.Counters{Requests: 1234567, Commands: 2000000}, 4*time.Millisecond)
	c.use(db, c.now.AddDate(0, -1, 0), meter.Counters{Requests: 99, Commands: 99}, time.Second)
	p := c.get("/").want("cache", "events", "Redis", "Kafka", "1,234,567")
	p.lacks("1,234,666")
	_, other := c.otherAccount("other@example.com")
	other.get("/").lacks("cache", "events", "1,234,567").want("Nothing here yet")
}

func TestCreatingEachProduct(t *testing.T) {
	c := newTest(t)
	for _, product := range []control.Product{control.Redis, control.Kafka, control.QStash} {
		c.get("/new?product=" + string(product)).want(`value="` + string(product) + `" required checked`)
		p := c.post("/new", "product", string(product), "name", "mine of "+string(product), "requests", "1,000", "budget", "2.5").is(200)
		p.want("mine of "+string(product), "is ready.", "Connection")
		res, err := c.control.Resource(t.Context(), c.admin.ID, strings.TrimPrefix(p.path, "/r/"))
		c.ok(err)
		if want := (meter.Limits{DailyRequests: 1000, MonthlyBudget: 2.5}); res.Product != product || res.Limits != want {
			t.Errorf("created %+v", res)
		}
		c.get(p.path).lacks("is ready.") // a toast is shown once
	}
}

func TestWhatIsWrongWithAFormStandsBesideTheField(t *testing.T) {
	c := newTest(t)
	c.get("/new")
	for _, row := range []struct{ name, requests, budget, want string }{
		{"", "", "", "Give it a name"},
		{"x", "many", "", "Enter a whole number"},
		{"x", "0", "", "Enter a whole number"},
		{"x", "", "-1", "Enter an amount"},
		{"x", "", "NaN", "Enter an amount"},
		{strings.Repeat("x", 200), "", "", "1 to 128 characters"},
	} {
		c.post("/new", "product", "redis", "name", row.name, "requests", row.requests, "budget", row.budget).is(422).want(row.want, `aria-invalid="true"`)
	}
	c.post("/new", "product", "tape", "name", "x").is(422).want("Choose a product")
	if resources, err := c.control.Resources(t.Context(), c.admin.ID); err != nil || len(resources) != 0 {
		t.Errorf("resources %v, %v", resources, err)
	}
}

func TestSecretsAreNotInPagesButFetched(t *testing.T) {
	c := newTest(t)
	for _, res := range []*control.Resource{c.createDatabase("db"), c.createCluster("cluster"), c.createQStash("queue")} {
		secret, err := c.control.Token(t.Context(), c.admin.ID, res.ID, control.DefaultCredential)
		c.ok(err)
		base := "/r/" + res.ID
		c.get(base).want(res.URL).lacks(secret.Text)
		c.get(base + "/credentials").lacks(secret.Text)
		if p := c.send("POST", base+"/credentials/default/token", "", "X-CSRF-Token", c.csrf, "Accept", "text/plain").is(200); p.body != secret.Text {
			t.Errorf("copied %q", p.body)
		}
		c.send("POST", base+"/snippets/env", "", "X-CSRF-Token", c.csrf, "Accept", "text/plain").is(200).want(secret.Text, res.URL)
		c.send("POST", base+"/snippets/none", "", "X-CSRF-Token", c.csrf, "Accept", "text/plain").is(404)
		c.htmx("POST", base+"/connection", "reveal", "1").is(200).want(secret.Text).lacks("<html")
		c.htmx("POST", base+"/connection").is(200).lacks(secret.Text)
		c.htmx("POST", base+"/credentials/default/token").is(200).want(secret.Text)
		c.try(base + "/credentials/default/token").is(404)
	}
}

func TestDatabasesSayWhereTheyAreRead(t *testing.T) {
	c := newTest(t)
	c.get("/r/" + c.createDatabase("db").ID).want("eu-west-1, ap-south-1")
	c.get("/r/" + c.createCluster("cluster").ID).lacks("eu-west-1")
	c.console.regions = nil
	c.get("/r/" + c.createDatabase("other").ID).lacks("Read regions")
}

func TestIssuingAndRevokingACredential(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("db")
	path := "/r/" + db.ID + "/credentials"
	c.get(path+"/new").want("Sorted sets", "Channels")
	c.post(path+"/new", "name", "web", "scope", "custom", "category", "read", "category", "pubsub", "commands", "SET -keys",
		"keys", "session:* user:*", "channels", "news", "expiry", "24h").is(200).want("web is ready", "@read", "~session:*", "Nov 2026")
	creds, err := c.control.Credentials(t.Context(), c.admin.ID, db.ID)
	c.ok(err)
	cred := creds[len(creds)-1]
	claims := c.verified(c.send("POST", path+"/"+cred.ID+"/token", "", "X-CSRF-Token", c.csrf).is(200).body, token.ProductRedis)
	if got := strings.Join(claims.Rules, " "); got != "+@read +@pubsub +set -keys ~session:* ~user:* &news" {
		t.Errorf("rules %s", got)
	}
	if !claims.Expires.Equal(c.now.Add(24 * time.Hour)) {
		t.Errorf("expires %s", claims.Expires)
	}
	for want, form := range map[string][]string{
		"Choose at least one group": {"name", "x", "scope", "custom", "keys", "*"},
		"List at least one pattern": {"name", "x", "scope", "custom", "category", "read"},
		"Give it a name":            {"name", "", "scope", "rw"},
		"Choose a time":             {"name", "x", "scope", "rw", "expiry", "at", "expires-at", "2020-01-01T00:00"},
		"Unknown command":           {"name", "x", "scope", "custom", "commands", "nonsense", "keys", "*"},
	} {
		c.post(path+"/new", form...).is(422).want(want)
	}
	c.get(path)
	c.post(path + "/" + cred.ID + "/revoke").is(200).want("web opens nothing any more").lacks("@read")
	c.post(path + "/" + cred.ID + "/revoke").want("revoked already")
	c.post(path + "/default/revoke").want("cannot be revoked")
}

func TestCredentialForBrowsers(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("db")
	path := "/r/" + db.ID + "/credentials"
	c.get(path+"/new").want("For browsers", "lists no keys")
	for want, form := range map[string][]string{
		"List at least one pattern": {"expiry", "24h"},
		"choose when it expires":    {"keys", "public:*"},
		"by * alone":                {"keys", "public:* *", "expiry", "24h"},
		"than by * alone":           {"channels", "**", "expiry", "24h"},
	} {
		c.post(path+"/new", append([]string{"name", "page", "scope", "browser"}, form...)...).is(422).want(want)
	}
	issue := func(form ...string) token.Claims {
		t.Helper()
		c.post(path+"/new", append([]string{"name", "page", "scope", "browser", "expiry", "24h"}, form...)...).is(200).want("Read only")
		c.now = c.now.Add(time.Second) // the list is in order of time
		creds, err := c.control.Credentials(t.Context(), c.admin.ID, db.ID)
		c.ok(err)
		return c.verified(c.send("POST", path+"/"+creds[len(creds)-1].ID+"/token", "", "X-CSRF-Token", c.csrf).is(200).body, token.ProductRedis)
	}
	claims := issue("keys", "public:* site", "channels", "news:*", "category", "write", "commands", "eval")
	if got := strings.Join(claims.Rules, " "); claims.Scope != token.ReadOnly || got != "+@read +subscribe +psubscribe ~public:* ~site &news:*" {
		t.Errorf("scope %s, rules %s", claims.Scope, got)
	}
	access, err := c.redis.AccessOf(claims.Rules)
	c.ok(err)
	access.ReadOnly = true
	database, err := c.redis.Database(t.Context(), db.ID)
	c.ok(err)
	for line, may := range map[string]bool{
		"GET public:x": true, "HGETALL site": true, "MGET public:a public:b": true, "EXISTS public:x": true,
		"GET private": false, "SET public:x 1": false, "KEYS *": false, "SCAN 0": false, "DBSIZE": false, "RANDOMKEY": false, "PUBLISH news:a hi": false,
		"EVAL_RO return(1) 0": false, "FCALL_RO f 0": false, "ACL WHOAMI": false, "ACL SETUSER x on": false, "FLUSHALL": false, "CONFIG GET *": false,
		"CLIENT LIST": false, "PUBSUB CHANNELS": false, "SORT_RO public:x BY secret:*": false, "MONITOR": false, "BLPOP public:x 1": false,
	} {
		var w resp.Writer
		c.ok(c.redis.Do(t.Context(), database, access, strings.Fields(line), &w))
		text, failed := resp.ErrorText(w.Buf)
		if refused := failed && (strings.HasPrefix(text, "NOPERM") || strings.HasPrefix(text, "ERR")); refused == may {
			t.Errorf("%s: %s", line, w.Buf)
		}
	}
	if access.CheckSubscribe([]string{"news:a"}, []string{"news:*"}) != nil || access.CheckSubscribe([]string{"other"}, nil) == nil || access.CheckSubscribe(nil, []string{"*"}) == nil {
		t.Error("it hears other channels than it names, or not those")
	}
	if claims := issue("channels", "news"); strings.Join(claims.Rules, " ") != "+subscribe +psubscribe &news" {
		t.Errorf("rules %s", claims.Rules)
	}
}

func TestCredentialsOfTheOtherProducts(t *testing.T) {
	c := newTest(t)
	cluster, queue := c.createCluster("cluster"), c.createQStash("queue")
	c.get("/r/" + cluster.ID + "/credentials/new").want("Produce only")
	c.post("/r/"+cluster.ID+"/credentials/new", "name", "billing", "permission", "consume", "topics", "orders-*").is(200).want("Consume", "orders-*")
	c.get("/r/" + queue.ID + "/credentials/new").want("Destinations")
	c.post("/r/"+queue.ID+"/credentials/new", "name", "hooks", "scope", "rw", "destinations", "https://example.com/api/*\nhttps://example.org").
		is(200).want("https://example.com/api/*", "https://example.org")
	c.post("/r/"+queue.ID+"/credentials/new", "name", "hooks", "scope", "rw", "destinations", "ftp://example.com").is(422).want("destination")
}

func TestResettingCredentialsNeedsTheName(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("db")
	before, err := c.control.Token(t.Context(), c.admin.ID, db.ID, control.DefaultCredential)
	c.ok(err)
	path := "/r/" + db.ID + "/credentials"
	c.get(path)
	c.post(path+"/reset", "confirm", "else").is(200).want("nothing was reset")
	c.post(path+"/reset", "confirm", "db").is(200).want("were reset")
	after, err := c.control.Token(t.Context(), c.admin.ID, db.ID, control.DefaultCredential)
	c.ok(err)
	if after == before {
		t.Error("the token is the same")
	}
}

func TestSettings(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("db")
	path := "/r/" + db.ID + "/settings"
	c.get(path)
	c.post(path+"/name", "name", "<b>renamed</b>").is(200).want("&lt;b&gt;renamed&lt;/b&gt;").lacks("<b>renamed")
	c.post(path+"/name", "name", "").is(422).want("1 to 128 characters")
	c.post(path+"/limits", "requests", "5", "budget", "").is(200).want("The limits are saved", `value="5"`)
	c.post(path+"/limits", "requests", "x", "budget", "").is(422).want("Enter a whole number", `value="x"`)
	c.post(path+"/eviction", "eviction", "1").is(200).want("Eviction is on", "checked")
	c.post(path + "/eviction").is(200).want("Eviction is off")
	c.post(path+"/delete", "confirm", "db").is(200).want("nothing was deleted")
	c.post(path+"/delete", "confirm", "<b>renamed</b>").is(200).want("is deleted", "Nothing here yet")
	c.try("/r/" + db.ID).is(404)
	cluster := c.createCluster("cluster")
	c.get("/r/" + cluster.ID + "/settings").lacks("Eviction")
	c.post("/r/"+cluster.ID+"/settings/eviction", "eviction", "1").want("no such page")
}

func TestUsageShowsChartsAndTheirNumbers(t *testing.T) {
	c := newTest(t)
	db := c.createDatabase("db")
	c.get("/r/"+db.ID+"/usage").want("Nothing in this time", "No limit is set")
	_, err := c.control.SetLimits(t.Context(), c.admin.ID, db.ID, meter.Limits{DailyRequests: 4000})
	c.ok(err)
	c.use(db, c.now, meter.Counters{Requests: 1000, Commands: 3000, BytesIn: 5_000_000, BytesOut: 7_000_000, Refused: 3}, 4*time.Millisecond)
	c.use(db, c.now.AddDate(0, 0, -20), meter.Counters{Requests: 50_000, Commands: 50_000}, 4*time.Millisecond)
	for _, period := range []string{"", "?period=24h", "?period=7d", "?period=nonsense"} {
		c.get("/r/"+db.ID+"/usage"+period).want("data-chart", "1,000", "5 MB in, 7 MB out", "3,000 of 4,000", "75 %", "read").lacks("50,000")
	}
	for _, period := range []string{"30d", "90d"} {
		c.get("/r/"+db.ID+"/usage?period="+period).want("51,000", "4 Nov 2026")
	}
}

func TestAPIKeysAreShownOnce(t *testing.T) {
	c := newTest(t)
	c.get("/account").want("bootstrap")
	c.post("/account/keys", "name", "").is(422)
	p := c.post("/account/keys", "name", "terraform").is(200).want("terraform is ready", "Shown once")
	_, text, _ := strings.Cut(p.body, `<div class="copy"><code>`)
	text, _, _ = strings.Cut(text, "<")
	if _, err := c.control.Authenticate(t.Context(), "admin@example.com", text); err != nil {
		t.Errorf("the key %q: %v", text, err)
	}
	c.get("/account").want("terraform").lacks(text)

	other := c.newBrowser()
	other.signIn(c.admin)
	keys, err := c.control.APIKeys(t.Context(), c.admin.ID)
	c.ok(err)
	slices.SortFunc(keys, func(a, b control.APIKey) int { return strings.Compare(b.Name, a.Name) }) // terraform, bootstrap
	c.post("/account/keys/" + keys[0].ID + "/revoke").is(200).want("opens nothing any more")
	c.post("/account/keys/" + keys[1].ID + "/revoke").want("last API key")
	if got := other.get("/"); got.path != "/sign-in" {
		t.Errorf("another session shows %s after a key was revoked", got.path)
	}
	if got := c.get("/"); got.path != "/" {
		t.Errorf("this session shows %s", got.path)
	}
}

func TestSigningKeysAreForAdministrators(t *testing.T) {
	c := newTest(t)
	c.get("/signing-keys").want("Signs", "Rotate")
	c.post("/signing-keys/rotate").is(200).want("in a few seconds")
	c.now = c.now.Add(control.SigningDelay)
	keys, err := c.control.SigningKeys(t.Context())
	c.ok(err)
	c.get("/signing-keys").want("Accepted", "Retire")
	c.post("/signing-keys/"+keys[0].ID+"/retire").is(200).want("Retired", "refused from now on")
	_, other := c.otherAccount("other@example.com")
	other.get("/").lacks("Signing keys")
	other.try("/signing-keys").is(404)
	other.post("/signing-keys/rotate").want("no such page")
	if after, err := c.control.SigningKeys(t.Context()); err != nil || len(after) != 2 {
		t.Errorf("%d keys, %v", len(after), err)
	}
}

// TestNoPageReachesAnotherAccountsResource tries every route of a resource that there is.
func TestNoPageReachesAnotherAccountsResource(t *testing.T) {
	c := newTest(t)
	mine := map[control.Product]*control.Resource{control.Redis: c.createDatabase("secret-db"), control.Kafka: c.createCluster("secret-cluster"), control.QStash: c.createQStash("secret-queue")}
	_, other := c.otherAccount("other@example.com")
	other.get("/")
	for _, p := range c.console.pages {
		if !p.ofResource() {
			continue
		}
		for product, res := range mine {
			path := strings.NewReplacer("{id}", res.ID, "{credential}", "default", "...}", "}").Replace(p.path())
			got := other.send(p.method(), path, "", "X-CSRF-Token", other.csrf, "HX-Request", "true")
			if got.status != http.StatusNotFound {
				t.Errorf("%s of another account's %s: status %d", p.route, product, got.status)
			}
			got.lacks("secret-")
			if p.product != "" && p.product != product {
				if got := c.send(p.method(), path, "", "X-CSRF-Token", c.csrf, "HX-Request", "true"); got.status != http.StatusNotFound {
					t.Errorf("%s of a %s resource: status %d", p.route, product, got.status)
				}
			}
		}
	}
	for product, res := range mine {
		if _, err := c.control.Resource(t.Context(), c.admin.ID, res.ID); err != nil {
			t.Errorf("the %s resource is gone: %v", product, err)
		}
	}
}

func TestALimitIsExplainedToItsOwner(t *testing.T) {
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for want, status := range map[string]meter.Status{
		"The daily request limit is used up (1,000 of 1,000). Requests are refused until 1 December, 00:00 UTC.": {Level: meter.LevelBlocked, Limit: meter.LimitRequests, Used: 1000, Of: 1000, Until: until},
		"85 % of the monthly budget is used ($8.50 of $10.00).":                                                  {Level: meter.LevelWarning, Limit: meter.LimitBudget, Used: 8.5, Of: 10, Until: until},
	} {
		if got := limitText(status); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, row := range [][2]string{
		{formatCount(0), "0"}, {formatCount(999), "999"}, {formatCount(-1234567), "-1,234,567"},
		{formatBytes(999), "999 B"}, {formatBytes(1500), "1.5 KB"}, {formatBytes(999_999), "1 MB"}, {formatBytes(2_000_000_000_000_000), "2000 TB"},
		{formatDollars(0), "$0.00"}, {formatDollars(0.0000001), "< $0.000001"}, {formatDollars(0.00123), "$0.0012"}, {formatDollars(1234.567), "$1,234.57"}, {formatDollars(-2), "-$2.00"},
		{formatLatency(0), "–"}, {formatLatency(1234 * time.Microsecond), "1.23 ms"}, {formatLatency(45678 * time.Microsecond), "45.7 ms"}, {formatLatency(2500 * time.Millisecond), "2.5 s"},
		{formatQuantity(0.0000798), "0.0000798"}, {formatQuantity(24.94), "24.9"}, {formatQuantity(18705534.4), "18,705,534"}, {formatQuantity(0), "0"},
		{ago(time.Unix(0, 0), time.Unix(0, 0)), "now"}, {ago(time.Unix(7200, 0), time.Unix(0, 0)), "2 hours ago"}, {ago(time.Unix(0, 0), time.Unix(86400, 0)), "in 1 day"},
		{sentence("élan is gone"), "Élan is gone."}, {sentence("Done!"), "Done!"}, {sentence(""), ""},
		{toastTrigger(toast{Text: "é𝄞\n"}), `{"toast":{"text":"\u00e9\ud834\udd1e\n"}}`},
	} {
		if row[0] != row[1] {
			t.Errorf("%q, want %q", row[0], row[1])
		}
	}
}

func TestSigningKeysOfDeliveries(t *testing.T) {
	c := newTest(t)
	queue := c.createQStash("queue")
	before, err := c.qstash.Account(t.Context(), queue.ID)
	c.ok(err)
	path := "/r/" + queue.ID
	c.get(path).want("Current signing key").lacks(before.Keys.Current, before.Keys.Next)
	for key, want := range map[string]string{"current": before.Keys.Current, "next": before.Keys.Next} {
		if p := c.send("POST", path+"/signing-keys/"+key, "", "X-CSRF-Token", c.csrf, "Accept", "text/plain").is(200); p.body != want {
			t.Errorf("copied %q as the %s key", p.body, key)
		}
	}
	c.get(path + "/credentials").want("Rotate the signing keys?")
	c.post(path + "/signing-keys/rotate").is(200).want("Give receivers the new pair")
	after, err := c.qstash.Account(t.Context(), queue.ID)
	c.ok(err)
	if after.Keys.Current != before.Keys.Next || after.Keys.Next == before.Keys.Next {
		t.Error("the keys are not rotated")
	}
}
