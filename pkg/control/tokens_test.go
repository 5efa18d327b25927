package control_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/controltest"
	"github.com/skystash/skystash/pkg/kafka"
	kafkarest "github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/meter"
	qstashrest "github.com/skystash/skystash/pkg/qstash/rest"
	redisrest "github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/token"
)

// instance is a warm instance of each product's function.
type instance struct {
	w        *controltest.World
	handlers map[control.Product]http.Handler
}

func newInstance(w *controltest.World) *instance {
	r, k, q := w.Engines()
	return &instance{w, map[control.Product]http.Handler{
		control.Redis: redisrest.New(redisrest.Config{Engine: r, Verifier: w.Verifier(token.ProductRedis), Now: w.Now}),
		control.Kafka: kafkarest.New(kafkarest.Config{Engine: k, Verifier: w.Verifier(token.ProductKafka)}),
		control.QStash: qstashrest.New(qstashrest.Config{
			Engine: q, Authenticator: qstashrest.Tokens{Engine: q, Verifier: w.Verifier(token.ProductQStash)}, MaxBodyBytes: 1 << 20,
		}),
	}}
}

// try sends a request with a token and returns the status and the answer.
func (i *instance) try(p control.Product, t control.Token, method, path, body string) (int, string) {
	i.w.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if p == control.Kafka {
		r.SetBasicAuth(t.Username, t.Text)
	} else {
		r.Header.Set("Authorization", "Bearer "+t.Text)
	}
	rec := httptest.NewRecorder()
	i.handlers[p].ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// probe is a request of each product that any good token may send.
var probe = map[control.Product]string{control.Redis: "/get/k", control.Kafka: "/topics", control.QStash: "/v2/queues"}

// opens says whether a token opens its resource on this instance.
func (i *instance) opens(p control.Product, t control.Token) bool {
	i.w.Helper()
	status, answer := i.try(p, t, "GET", probe[p], "")
	if status != http.StatusOK && status != http.StatusUnauthorized {
		i.w.Fatalf("the probe of %s is answered %d %s", p, status, answer)
	}
	return status == http.StatusOK
}

// promised is within which time revocations and resets take effect everywhere.
const promised = 10 * time.Second

var products = []control.Product{control.Redis, control.Kafka, control.QStash}

func TestRevocationAndResetReachWarmInstances(t *testing.T) {
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			w := controltest.New(t)
			res := w.Create(w.Admin, p, "r")
			one, two := newInstance(w), newInstance(w)
			both := func(tok control.Token) (bool, bool) { return one.opens(p, tok), two.opens(p, tok) }
			want := func(when string, tok control.Token, want bool) {
				t.Helper()
				if a, b := both(tok); a != want || b != want {
					t.Errorf("%s, the instances let the token in: %t, %t", when, a, b)
				}
			}
			issue := func() (*control.Credential, control.Token) {
				c, err := w.Control.Issue(t.Context(), w.Admin.ID, res.ID, control.CredentialOptions{Name: "c"})
				w.OK(err)
				return c, w.Token(res, c.ID)
			}
			revoked, gone := issue()
			_, other := issue()
			standard := w.Token(res, control.DefaultCredential)
			for _, tok := range []control.Token{gone, other, standard} {
				want("at first", tok, true)
			}
			w.OK(w.Control.Revoke(t.Context(), w.Admin.ID, res.ID, revoked.ID))
			w.Advance(promised)
			want("after its revocation", gone, false)
			want("after another one's revocation", other, true)
			_, err := w.Control.Token(t.Context(), w.Admin.ID, res.ID, revoked.ID)
			w.Refused(err, control.NotFound)

			w.OK(w.Control.Reset(t.Context(), w.Admin.ID, res.ID))
			w.Advance(promised)
			want("after the reset", other, false)
			want("after the reset", standard, false)
			want("after the reset", w.Token(res, control.DefaultCredential), true)
			list, err := w.Control.Credentials(t.Context(), w.Admin.ID, res.ID)
			w.OK(err)
			for _, c := range list {
				if !c.Default {
					t.Errorf("credential %s is left after the reset", c.ID)
				}
			}

			expiring, err := w.Control.Issue(t.Context(), w.Admin.ID, res.ID, control.CredentialOptions{Name: "e", Expires: w.Now().Add(time.Hour)})
			w.OK(err)
			tok := w.Token(res, expiring.ID)
			want("before its expiry", tok, true)
			w.Advance(time.Hour + promised)
			want("after its expiry", tok, false)

			tok = w.Token(res, control.DefaultCredential)
			want("before the resource is deleted", tok, true)
			w.OK(w.Control.Delete(t.Context(), w.Admin.ID, res.ID))
			w.Advance(promised)
			want("after the resource is deleted", tok, false)
		})
	}
}

func TestSigningKeysRotateWithoutInvalidatingTokens(t *testing.T) {
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			w := controltest.New(t)
			res := w.Create(w.Admin, p, "r")
			warm := newInstance(w)
			old := w.Token(res, control.DefaultCredential)
			if !warm.opens(p, old) {
				t.Fatal("the token is refused at first")
			}
			before, err := w.Control.SigningKeys(t.Context())
			w.OK(err)
			next, err := w.Control.RotateSigningKey(t.Context())
			w.OK(err)
			if tok := w.Token(res, control.DefaultCredential); tok != old {
				t.Error("the new key signs before everybody can know it")
			}
			w.Refused(w.Control.RetireSigningKey(t.Context(), before[0].ID), control.Invalid)
			w.Advance(control.SigningDelay)
			// The control plane of another instance takes part.
			other := w.NewControl(w.Redis, w.Kafka, w.QStash)
			fresh, err := other.Token(t.Context(), w.Admin.ID, res.ID, control.DefaultCredential)
			w.OK(err)
			if fresh == old {
				t.Error("the new key does not sign")
			}
			if !warm.opens(p, fresh) || !warm.opens(p, old) {
				t.Error("a token of either key is refused by an instance that was warm before the rotation")
			}
			w.Refused(w.Control.RetireSigningKey(t.Context(), next.ID), control.Invalid)
			w.OK(w.Control.RetireSigningKey(t.Context(), before[0].ID))
			w.Advance(promised)
			if warm.opens(p, old) {
				t.Error("a token of a retired key is let in")
			}
			if !warm.opens(p, fresh) {
				t.Error("retiring the old key has invalidated tokens of the new one")
			}
			if ids, err := w.Keyring.IDs(t.Context()); err != nil || len(ids) != 1 || ids[0] != next.ID {
				t.Errorf("the keyring has %v, %v", ids, err)
			}
			w.OK(w.Control.RetireSigningKey(t.Context(), before[0].ID)) // it can be repeated
		})
	}
}

func TestKeysOfTheEnvironmentCanBeRetired(t *testing.T) {
	w := controltest.New(t)
	res := w.Create(w.Admin, control.Redis, "r")
	keys, err := w.Control.SigningKeys(t.Context())
	w.OK(err)
	private, err := w.Keyring.Key(t.Context(), keys[0].ID)
	w.OK(err)
	signer, err := token.NewSigner(token.SignerConfig{Key: private, Now: w.Now})
	w.OK(err)
	text, err := signer.Mint(token.Claims{CredentialID: "c", Resource: res.ID, Products: []string{"redis"}, Scope: token.ReadWrite})
	w.OK(err)
	v := w.Verifier("redis", publicOf(private))
	if _, err := v.Verify(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	_, err = w.Control.RotateSigningKey(t.Context())
	w.OK(err)
	w.Advance(control.SigningDelay)
	w.OK(w.Control.RetireSigningKey(t.Context(), keys[0].ID))
	w.Advance(promised)
	if _, err := v.Verify(t.Context(), text); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("a token of a retired key that the environment names: %v", err)
	}
}

func TestScopedRedisCredentials(t *testing.T) {
	w := controltest.New(t)
	res := w.Create(w.Admin, control.Redis, "r")
	i := newInstance(w)
	c, err := w.Control.Issue(t.Context(), w.Admin.ID, res.ID, control.CredentialOptions{
		Name: "app", Rules: []string{"+@read", "+@string", "-getdel", "~app:*", "%R~shared:*"},
	})
	w.OK(err)
	tok := w.Token(res, c.ID)
	for path, allowed := range map[string]bool{
		"/set/app:k/v": true, "/get/app:k": true, "/get/shared:k": true, "/hget/app:h/f": true,
		"/set/shared:k/v": false, "/get/other": false, "/del/app:k": false, "/getdel/app:k": false, "/flushall": false, "/mget/app:k/other": false,
	} {
		status, answer := i.try(control.Redis, tok, "GET", path, "")
		if refused := strings.Contains(answer, "NOPERM"); refused == allowed || allowed != (status == http.StatusOK) {
			t.Errorf("%s is answered %d %s", path, status, answer)
		}
	}
}

func TestScopedKafkaCredentials(t *testing.T) {
	w := controltest.New(t)
	res := w.Create(w.Admin, control.Kafka, "r")
	cluster, err := w.Kafka.Cluster(t.Context(), res.ID)
	w.OK(err)
	for _, name := range []string{"orders", "orders-eu", "private"} {
		_, err := w.Kafka.CreateTopic(t.Context(), cluster, name, kafkaTopic)
		w.OK(err)
	}
	i := newInstance(w)
	for _, c := range []struct {
		rule             token.TopicRule
		produce, consume map[string]bool
	}{
		{token.TopicRule{Permission: token.PermitProduce, Topics: "orders"}, map[string]bool{"orders": true}, nil},
		{token.TopicRule{Permission: token.PermitConsume, Topics: "orders*"}, nil, map[string]bool{"orders": true, "orders-eu": true}},
		{token.TopicRule{Permission: token.PermitAll, Topics: "private"}, map[string]bool{"private": true}, map[string]bool{"private": true}},
	} {
		cred, err := w.Control.Issue(t.Context(), w.Admin.ID, res.ID, control.CredentialOptions{Name: "c", Topics: c.rule})
		w.OK(err)
		tok := w.Token(res, cred.ID)
		for _, topic := range []string{"orders", "orders-eu", "private"} {
			if status, answer := i.try(control.Kafka, tok, "POST", "/produce", `{"topic":"`+topic+`","value":"v"}`); (status == 200) != c.produce[topic] {
				t.Errorf("%v: producing to %s is answered %d %s", c.rule, topic, status, answer)
			}
			if status, answer := i.try(control.Kafka, tok, "POST", "/fetch", `{"topic":"`+topic+`","partition":0,"offset":0}`); (status == 200) != c.consume[topic] {
				t.Errorf("%v: fetching from %s is answered %d %s", c.rule, topic, status, answer)
			}
		}
	}
}

func TestScopedQStashCredentials(t *testing.T) {
	w := controltest.New(t)
	res := w.Create(w.Admin, control.QStash, "r")
	cred, err := w.Control.Issue(t.Context(), w.Admin.ID, res.ID, control.CredentialOptions{Name: "c", Destinations: []string{"https://example.com/hooks/*"}})
	w.OK(err)
	i, tok := newInstance(w), w.Token(res, cred.ID)
	for dest, want := range map[string]int{"https://example.com/hooks/a": 200, "https://example.com/admin": 403, "https://example.org/hooks/a": 403} {
		if status, answer := i.try(control.QStash, tok, "POST", "/v2/publish/"+dest, "x"); status != want {
			t.Errorf("publishing to %s is answered %d %s", dest, status, answer)
		}
	}
}

func TestCredentialsThatMakeNoSense(t *testing.T) {
	w := controltest.New(t)
	res := map[control.Product]*control.Resource{}
	for _, p := range products {
		res[p] = w.Create(w.Admin, p, "r")
	}
	rule := token.TopicRule{Permission: token.PermitAll, Topics: "t"}
	for name, c := range map[string]struct {
		of control.Product
		o  control.CredentialOptions
	}{
		"no name":                       {control.Redis, control.CredentialOptions{}},
		"a scope that there is not":     {control.Redis, control.CredentialOptions{Name: "c", Scope: "all"}},
		"rules of Kafka":                {control.Kafka, control.CredentialOptions{Name: "c", Rules: []string{"+get"}}},
		"topics of Redis":               {control.Redis, control.CredentialOptions{Name: "c", Topics: rule}},
		"groups of QStash":              {control.QStash, control.CredentialOptions{Name: "c", Groups: "g"}},
		"a wildcard in a group's name":  {control.Kafka, control.CredentialOptions{Name: "c", Groups: "a*b"}},
		"destinations of Redis":         {control.Redis, control.CredentialOptions{Name: "c", Destinations: []string{"g"}}},
		"a destination that is none":    {control.QStash, control.CredentialOptions{Name: "c", Destinations: []string{"https://"}}},
		"a wildcard in a host's name":   {control.QStash, control.CredentialOptions{Name: "c", Destinations: []string{"https://example.com*"}}},
		"a permission that there is no": {control.Kafka, control.CredentialOptions{Name: "c", Topics: token.TopicRule{Permission: "x", Topics: "t"}}},
		"rules beyond a token's length": {control.Redis, control.CredentialOptions{Name: "c", Rules: []string{"~" + strings.Repeat("x", token.MaxLength)}}},
		"an expiry in the past":         {control.Redis, control.CredentialOptions{Name: "c", Expires: w.Now().Add(-time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Control.Issue(t.Context(), w.Admin.ID, res[c.of].ID, c.o)
			w.Refused(err, control.Invalid)
		})
	}
}

func TestTenantsDoNotReachEachOther(t *testing.T) {
	w := controltest.New(t)
	ctx := t.Context()
	alice, bob := w.Account("alice@example.com"), w.Account("bob@example.com")
	i := newInstance(w)
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			hers, his := w.Create(alice, p, "same name"), w.Create(bob, p, "same name")
			cred, err := w.Control.Issue(ctx, alice.ID, hers.ID, control.CredentialOptions{Name: "c"})
			w.OK(err)
			for name, do := range map[string]func() error{
				"read":        func() error { _, err := w.Control.Resource(ctx, bob.ID, hers.ID); return err },
				"rename":      func() error { _, err := w.Control.Rename(ctx, bob.ID, hers.ID, "x"); return err },
				"delete":      func() error { return w.Control.Delete(ctx, bob.ID, hers.ID) },
				"limits":      func() error { _, err := w.Control.SetLimits(ctx, bob.ID, hers.ID, limits); return err },
				"credentials": func() error { _, err := w.Control.Credentials(ctx, bob.ID, hers.ID); return err },
				"issue": func() error {
					_, err := w.Control.Issue(ctx, bob.ID, hers.ID, control.CredentialOptions{Name: "c"})
					return err
				},
				"token":          func() error { _, err := w.Control.Token(ctx, bob.ID, hers.ID, cred.ID); return err },
				"default token":  func() error { _, err := w.Control.Token(ctx, bob.ID, hers.ID, control.DefaultCredential); return err },
				"her credential": func() error { _, err := w.Control.Token(ctx, bob.ID, his.ID, cred.ID); return err },
				"revoke":         func() error { return w.Control.Revoke(ctx, bob.ID, hers.ID, cred.ID) },
				"reset":          func() error { return w.Control.Reset(ctx, bob.ID, hers.ID) },
				"adopt":          func() error { _, err := w.Control.Adopt(ctx, bob.ID, p, hers.ID, "mine"); return adopted(err) },
			} {
				if err := do(); !control.IsKind(err, control.NotFound) {
					t.Errorf("%s: %v", name, err)
				}
			}
			list, err := w.Control.Resources(ctx, bob.ID)
			w.OK(err)
			for _, r := range list {
				if r.Account != bob.ID || r.ID == hers.ID {
					t.Errorf("his resources have %+v", r)
				}
			}
			mine, yours := w.Token(hers, control.DefaultCredential), w.Token(his, control.DefaultCredential)
			if !i.opens(p, mine) || !i.opens(p, yours) {
				t.Error("a token does not open its own resource")
			}
			// What a token opens is in its signature, not in what goes with it.
			mixed := control.Token{Text: mine.Text, Username: yours.Username}
			if p == control.QStash {
				mixed.Text = token.QStashEnvelope(his.ID, jwtOf(t, mine.Text))
			}
			if p != control.Redis && i.opens(p, mixed) {
				t.Error("her password opens his resource")
			}
			for _, q := range products {
				if q != p && i.opens(q, mine) {
					t.Errorf("a token of %s opens %s", p, q)
				}
			}
		})
	}
	// The same names in two tenants are two things.
	hers, his := w.Create(alice, control.Redis, "k"), w.Create(bob, control.Redis, "k")
	a, b := w.Token(hers, control.DefaultCredential), w.Token(his, control.DefaultCredential)
	i.try(control.Redis, a, "GET", "/set/key/hers", "")
	if _, answer := i.try(control.Redis, b, "GET", "/get/key", ""); !strings.Contains(answer, "null") {
		t.Errorf("her key is answered to him: %s", answer)
	}
	for n := range 50 {
		i.try(control.Redis, a, "GET", "/set/secret-"+strings.Repeat("x", n)+"/v", "")
	}
	_, answer := i.try(control.Redis, a, "GET", "/scan/0/count/5", "")
	cursor := strings.Split(answer, `"`)[3]
	if _, answer := i.try(control.Redis, b, "GET", "/scan/"+url.PathEscape(cursor)+"/count/100", ""); strings.Contains(answer, "secret") {
		t.Errorf("a cursor of hers shows him her keys: %s", answer)
	}
}

// adopted makes a refusal to adopt look as one to find.
func adopted(err error) error {
	if control.IsKind(err, control.Exists) {
		return &control.Error{Kind: control.NotFound}
	}
	return err
}

var (
	limits     = meter.Limits{DailyRequests: 1}
	kafkaTopic = kafka.TopicOptions{Partitions: 1}
)

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// jwtOf takes a token out of QStash's envelope.
func jwtOf(t *testing.T, text string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	var envelope struct{ Password string }
	if err = errors.Join(err, json.Unmarshal(raw, &envelope)); err != nil {
		t.Fatal(err)
	}
	return envelope.Password
}
