package token

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var start = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// seedKey is a key that is the same in every run.
func seedKey(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func clockAt(t *time.Time) func() time.Time { return func() time.Time { return *t } }

func newSigner(t testing.TB, cfg SignerConfig) *Signer {
	t.Helper()
	if cfg.Key == nil {
		cfg.Key = seedKey(1)
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return start }
	}
	s, err := NewSigner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newVerifier(t testing.TB, cfg VerifierConfig) *Verifier {
	t.Helper()
	if cfg.Keys == nil {
		cfg.Keys = []ed25519.PublicKey{public(seedKey(1))}
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return start }
	}
	v, err := NewVerifier(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sample() Claims {
	return Claims{
		CredentialID: "cred-1",
		Resource:     "db-1",
		Products:     []string{ProductRedis},
		Scope:        ReadWrite,
		Rules:        []string{"+@read", "~app:*"},
		Generation:   9007199254740993, // not a float64
		Expires:      start.Add(time.Hour),
	}
}

func mint(t testing.TB, s *Signer, c Claims) string {
	t.Helper()
	signed, err := s.Mint(c)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// forge signs any header and payload with the key that the verifier trusts.
func forge(t testing.TB, header, payload string) string {
	t.Helper()
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	return signed + "." + enc.EncodeToString(ed25519.Sign(seedKey(1), []byte(signed)))
}

func goodHeader() string {
	return `{"alg":"EdDSA","typ":"JWT","kid":"` + KeyID(public(seedKey(1))) + `"}`
}

const goodPayload = `{"iss":"skystash","aud":["skystash"],"jti":"cred-1","res":"db-1","products":["redis"],"scope":"rw","gen":3,"iat":1740830400,"nbf":1740830400}`

func TestVerifyReturnsWhatWasMinted(t *testing.T) {
	v := newVerifier(t, VerifierConfig{Product: ProductRedis})
	want := sample()
	signed := mint(t, newSigner(t, SignerConfig{}), want)
	for _, when := range []string{"first time", "from the cache"} {
		got, err := v.Verify(t.Context(), signed)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got.CredentialID != want.CredentialID || got.Resource != want.Resource || got.Scope != want.Scope ||
			got.Generation != want.Generation || len(got.Products) != 1 || got.Products[0] != ProductRedis {
			t.Errorf("%s: got %+v, want %+v", when, got, want)
		}
		if !got.IssuedAt.Equal(start) || !got.NotBefore.Equal(start) || !got.Expires.Equal(want.Expires) {
			t.Errorf("%s: times %v %v %v", when, got.IssuedAt, got.NotBefore, got.Expires)
		}
	}
}

func TestForgedHandMadeTokenIsAccepted(t *testing.T) {
	// Guards the other tests: what they forge is refused for the reason named,
	// not because forging itself is wrong.
	got, err := newVerifier(t, VerifierConfig{}).Verify(t.Context(), forge(t, goodHeader(), goodPayload))
	if err != nil || got.Generation != 3 || !got.Expires.IsZero() {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestTokenWithoutExpiryNeverExpires(t *testing.T) {
	now := start
	v := newVerifier(t, VerifierConfig{Now: clockAt(&now)})
	c := sample()
	c.Expires = time.Time{}
	signed := mint(t, newSigner(t, SignerConfig{}), c)
	now = start.AddDate(50, 0, 0)
	got, err := v.Verify(t.Context(), signed)
	if err != nil || !got.Expires.IsZero() {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	s := newSigner(t, SignerConfig{})
	good := mint(t, s, sample())
	parts := strings.Split(good, ".")
	enc := base64.RawURLEncoding
	kid := KeyID(public(seedKey(1)))

	withHeader := func(method jwt.SigningMethod, key any) string {
		claims := jwt.MapClaims{}
		if err := json.Unmarshal([]byte(goodPayload), &claims); err != nil {
			t.Fatal(err)
		}
		tok := jwt.NewWithClaims(method, claims)
		tok.Header["kid"] = kid
		signed, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pemKey, err := EncodePublicKey(public(seedKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(from, to string) string {
		if !strings.Contains(goodPayload, from) {
			t.Fatalf("%q is not in the payload", from)
		}
		return forge(t, goodHeader(), strings.Replace(goodPayload, from, to, 1))
	}

	tests := []struct {
		name  string
		token string
		want  error
	}{
		{"empty", "", ErrMalformed},
		{"no dots", "abc", ErrMalformed},
		{"two parts", parts[0] + "." + parts[1], ErrMalformed},
		{"four parts", good + ".x", ErrMalformed},
		{"parts are not base64", "!.!.!", ErrMalformed},
		{"a line in the signature", good[:len(good)-40] + "\r\n" + good[len(good)-40:], ErrMalformed},
		{"a line in the claims", parts[0] + "." + parts[1][:10] + "\n" + parts[1][10:] + "." + parts[2], ErrMalformed},
		{"begins at the end of all times", forge(t, goodHeader(), strings.TrimSuffix(goodPayload, "}")+`,"nbf":1e300}`), ErrMalformed},
		{"begins beyond 64 bits", forge(t, goodHeader(), strings.TrimSuffix(goodPayload, "}")+`,"nbf":9223372036854775807}`), ErrMalformed},
		{"ends after the year 9999", forge(t, goodHeader(), strings.TrimSuffix(goodPayload, "}")+`,"exp":253402300800}`), ErrMalformed},
		{"ends at a text", forge(t, goodHeader(), strings.TrimSuffix(goodPayload, "}")+`,"exp":"9999999999"}`), ErrMalformed},
		{"padded base64", parts[0] + "." + parts[1] + "." + parts[2] + "==", ErrMalformed},
		{"longer than allowed", good + strings.Repeat("A", MaxLength), ErrMalformed},
		{"header is not JSON", forge(t, "{", goodPayload), ErrMalformed},
		{"payload is not JSON", forge(t, goodHeader(), "{"), ErrMalformed},
		{"payload of a wrong type", replaced(`"gen":3`, `"gen":"3"`), ErrMalformed},

		{"alg none", withHeader(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), ErrSignature},
		{"crit", forge(t, strings.Replace(goodHeader(), "{", `{"crit":["exp"],"exp":1,`, 1), goodPayload), ErrMalformed},
		{"empty crit", forge(t, strings.Replace(goodHeader(), "{", `{"crit":[],`, 1), goodPayload), ErrMalformed},
		{"alg None in other case", forge(t, strings.Replace(goodHeader(), "EdDSA", "nOnE", 1), goodPayload), ErrMalformed},
		{"HS256 keyed with the public key's bytes", withHeader(jwt.SigningMethodHS256, []byte(public(seedKey(1)))), ErrSignature},
		{"HS256 keyed with the public key's PEM", withHeader(jwt.SigningMethodHS256, pemKey), ErrSignature},
		{"RS256", withHeader(jwt.SigningMethodRS256, rsaKey), ErrSignature},
		{"RS256 header over an Ed25519 signature", forge(t, strings.Replace(goodHeader(), "EdDSA", "RS256", 1), goodPayload), ErrSignature},
		{"ES256 header over an Ed25519 signature", forge(t, strings.Replace(goodHeader(), "EdDSA", "ES256", 1), goodPayload), ErrSignature},
		{"no algorithm", forge(t, `{"kid":"`+kid+`"}`, goodPayload), ErrMalformed},

		{"signature missing", parts[0] + "." + parts[1] + ".", ErrSignature},
		{"signature shortened", parts[0] + "." + parts[1] + "." + parts[2][:43], ErrMalformed},
		{"signature of another token", parts[0] + "." + parts[1] + "." + enc.EncodeToString(ed25519.Sign(seedKey(1), []byte("x"))), ErrSignature},
		{"claims tampered with", parts[0] + "." + enc.EncodeToString([]byte(goodPayload)) + "." + parts[2], ErrSignature},
		{"signed with another key under the known id", func() string {
			other := newSigner(t, SignerConfig{Key: seedKey(2)})
			other.kid = kid
			return mint(t, other, sample())
		}(), ErrSignature},
		{"unknown key id", mint(t, newSigner(t, SignerConfig{Key: seedKey(2)}), sample()), ErrUnknownKey},
		{"no key id", forge(t, `{"alg":"EdDSA"}`, goodPayload), ErrUnknownKey},
		{"key id is no string", forge(t, `{"alg":"EdDSA","kid":7}`, goodPayload), ErrUnknownKey},

		{"another issuer", mint(t, newSigner(t, SignerConfig{Issuer: "else"}), sample()), ErrIssuer},
		{"no issuer", replaced(`"iss":"skystash",`, ""), ErrMalformed},
		{"another audience", mint(t, newSigner(t, SignerConfig{Audience: "staging"}), sample()), ErrAudience},
		{"no audience", replaced(`"aud":["skystash"],`, ""), ErrMalformed},
		{"another product", replaced(`["redis"]`, `["kafka","qstash"]`), ErrProduct},

		{"no credential id", replaced(`"jti":"cred-1",`, ""), ErrMalformed},
		{"no resource", replaced(`"res":"db-1",`, ""), ErrMalformed},
		{"no products", replaced(`"products":["redis"],`, ""), ErrMalformed},
		{"no scope", replaced(`"scope":"rw",`, ""), ErrMalformed},
		{"unknown scope", replaced(`"rw"`, `"root"`), ErrMalformed},
		{"negative generation", replaced(`"gen":3`, `"gen":-3`), ErrMalformed},

		{"expired", replaced(`"nbf":`, `"exp":1740830395,"nbf":`), ErrExpired},
		{"not valid yet", replaced(`"nbf":1740830400`, `"nbf":1740830406`), ErrNotYetValid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, VerifierConfig{Product: ProductRedis})
			for range 2 {
				claims, err := v.Verify(t.Context(), tt.token)
				if !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if claims.CredentialID != "" || claims.Resource != "" || claims.Scope != "" {
					t.Errorf("claims of a refused token: %+v", claims)
				}
				for _, part := range strings.Split(tt.token, ".") {
					if len(part) > 8 && strings.Contains(err.Error(), part) {
						t.Errorf("the error quotes the token: %v", err)
					}
				}
			}
			if n := len(v.cache.young) + len(v.cache.old); n != 0 {
				t.Errorf("%d refused tokens are cached", n)
			}
		})
	}
}

func TestTimeIsJudgedWithLeewayAndAlsoForCachedTokens(t *testing.T) {
	c := sample()
	c.NotBefore = start.Add(time.Minute)
	c.Expires = start.Add(time.Hour)
	signed := mint(t, newSigner(t, SignerConfig{}), c)

	tests := []struct {
		name string
		at   time.Time
		want error
	}{
		{"well before", start, ErrNotYetValid},
		{"just before the leeway", c.NotBefore.Add(-Leeway - time.Millisecond), ErrNotYetValid},
		{"within the leeway before", c.NotBefore.Add(-Leeway), nil},
		{"in between", start.Add(30 * time.Minute), nil},
		{"within the leeway after", c.Expires.Add(Leeway - time.Millisecond), nil},
		{"at the end of the leeway", c.Expires.Add(Leeway), ErrExpired},
		{"long after", c.Expires.AddDate(1, 0, 0), ErrExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := tt.at
			v := newVerifier(t, VerifierConfig{Now: clockAt(&now)})
			if _, err := v.Verify(t.Context(), signed); !errors.Is(err, tt.want) {
				t.Fatalf("uncached: got %v, want %v", err, tt.want)
			}
			now = start.Add(30 * time.Minute)
			if _, err := v.Verify(t.Context(), signed); err != nil {
				t.Fatalf("in between: %v", err)
			}
			now = tt.at
			got, err := v.Verify(t.Context(), signed)
			if !errors.Is(err, tt.want) {
				t.Fatalf("cached: got %v, want %v", err, tt.want)
			}
			if err != nil && got.CredentialID != "" {
				t.Errorf("claims of a refused cached token: %+v", got)
			}
		})
	}
}

func TestSeveralKeysAreGoodSideBySide(t *testing.T) {
	v := newVerifier(t, VerifierConfig{Keys: []ed25519.PublicKey{public(seedKey(1)), public(seedKey(2))}})
	for _, b := range []byte{1, 2} {
		if _, err := v.Verify(t.Context(), mint(t, newSigner(t, SignerConfig{Key: seedKey(b)}), sample())); err != nil {
			t.Errorf("key %d: %v", b, err)
		}
	}
	if _, err := v.Verify(t.Context(), mint(t, newSigner(t, SignerConfig{Key: seedKey(3)}), sample())); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("third key: %v", err)
	}
}

func TestIssuerAndAudienceAreConfigurable(t *testing.T) {
	s := newSigner(t, SignerConfig{Issuer: "https://login.example", Audience: "prod"})
	v := newVerifier(t, VerifierConfig{Issuer: "https://login.example", Audience: "prod"})
	if _, err := v.Verify(t.Context(), mint(t, s, sample())); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), mint(t, newSigner(t, SignerConfig{}), sample())); err == nil {
		t.Fatal("a token with the default issuer and audience was accepted")
	}
}

func TestMintRefusesWhatVerifyWouldRefuse(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Claims)
	}{
		{"no credential id", func(c *Claims) { c.CredentialID = "" }},
		{"no resource", func(c *Claims) { c.Resource = "" }},
		{"no product", func(c *Claims) { c.Products = nil }},
		{"an empty product", func(c *Claims) { c.Products = []string{"redis", ""} }},
		{"no scope", func(c *Claims) { c.Scope = "" }},
		{"an unknown scope", func(c *Claims) { c.Scope = "admin" }},
		{"a negative generation", func(c *Claims) { c.Generation = -1 }},
		{"an empty rule", func(c *Claims) { c.Rules = []string{"+get", ""} }},
		{"too many rules", func(c *Claims) { c.Rules = strings.Fields(strings.Repeat("+get ", 1000)) }},
		{"expiry before validity", func(c *Claims) { c.Expires = start }},
	}
	s := newSigner(t, SignerConfig{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := sample()
			tt.change(&c)
			if got, err := s.Mint(c); err == nil {
				t.Fatalf("minted %q", got)
			}
		})
	}
}

func TestConstructorsNeedKeys(t *testing.T) {
	if _, err := NewSigner(SignerConfig{}); err == nil {
		t.Error("a signer without a key")
	}
	if _, err := NewVerifier(VerifierConfig{}); err == nil {
		t.Error("a verifier without a key")
	}
	if _, err := NewVerifier(VerifierConfig{Keys: []ed25519.PublicKey{{1, 2}}}); err == nil {
		t.Error("a verifier with a short key")
	}
}

func FuzzVerify(f *testing.F) {
	v := newVerifier(f, VerifierConfig{})
	good := mint(f, newSigner(f, SignerConfig{}), sample())
	f.Add(good)
	f.Add("")
	f.Add("..")
	f.Add(good[:len(good)-1])
	f.Add(forge(f, goodHeader(), `{}`))
	f.Add(forge(f, `{"alg":"none"}`, goodPayload))
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(t.Context(), token)
		if err == nil && token != good {
			t.Fatalf("accepted a token that was never minted: %q", token)
		}
		if err != nil && claims.Resource != "" {
			t.Fatalf("claims beside an error: %+v, %v", claims, err)
		}
	})
}
