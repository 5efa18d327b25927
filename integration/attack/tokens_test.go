package attack

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/token"
)

// part is a part of a token.
func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forms are texts that are nearly a token, by what is wrong with them. public is the key that its signature is checked with.
func tokenForms(good string, public ed25519.PublicKey) map[string]string {
	p := strings.Split(good, ".")
	header, _ := base64.RawURLEncoding.DecodeString(p[0])
	payload, _ := base64.RawURLEncoding.DecodeString(p[1])
	signature, _ := base64.RawURLEncoding.DecodeString(p[2])
	in := func(header string) string { return part(header) + "." + p[1] + "." + p[2] }
	confused := func(alg string, secret []byte) string {
		signed := part(`{"alg":"`+alg+`","typ":"JWT"}`) + "." + p[1]
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	der, _ := x509.MarshalPKIXPublicKey(public)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(p[2]) - 1
	forms := map[string]string{
		"HS256 with the public key":            confused("HS256", public),
		"HS256 with the public key as PEM":     confused("HS256", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"HS256 with the public key in base64":  confused("HS256", []byte(base64.StdEncoding.EncodeToString(public))),
		"HS256 with nothing":                   confused("HS256", nil),
		"alg in lower case":                    in(strings.Replace(string(header), "EdDSA", "eddsa", 1)),
		"alg with a blank":                     in(strings.Replace(string(header), `"EdDSA"`, `"EdDSA "`, 1)),
		"alg twice, none first":                in(`{"alg":"none",` + string(header)[1:]),
		"alg twice, none last":                 in(strings.TrimSuffix(string(header), "}") + `,"alg":"none"}`),
		"alg in another case first":            in(`{"ALG":"none",` + string(header)[1:]),
		"alg as a list":                        in(strings.Replace(string(header), `"EdDSA"`, `["EdDSA","none"]`, 1)),
		"no alg":                               in(`{"typ":"JWT"}`),
		"none in another case":                 part(`{"alg":"NoNe"}`) + "." + p[1] + ".",
		"a header that is no object":           in(`"EdDSA"`),
		"an empty header":                      in(`{}`),
		"a header with blanks":                 in(" " + string(header)),
		"a certificate's address":              in(strings.TrimSuffix(string(header), "}") + `,"x5u":"http://127.0.0.1:1/","jku":"http://127.0.0.1:1/"}`),
		"claims in claims":                     p[0] + "." + part(`"`+good+`"`) + "." + p[2],
		"claims that are no object":            p[0] + "." + part(`["`+good+`"]`) + "." + p[2],
		"claims with blanks":                   p[0] + "." + part(string(payload)+" ") + "." + p[2],
		"a token in a token":                   part(good) + "." + p[1] + "." + p[2],
		"no parts":                             "..",
		"one part":                             p[0],
		"two parts":                            p[0] + "." + p[1],
		"four parts":                           good + ".x",
		"five parts, as if encrypted":          good + ".x.x",
		"a dot behind":                         good + ".",
		"a dot in front":                       "." + good,
		"two dots":                             p[0] + ".." + p[1] + "." + p[2],
		"as JSON":                              `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		"padding":                              p[0] + "==." + p[1] + "." + p[2],
		"padding of the signature":             good + "==",
		"the other base64":                     p[0] + "." + p[1] + "." + base64.RawStdEncoding.EncodeToString(append([]byte{0xfb, 0xff}, signature[2:]...)),
		"hexadecimal":                          p[0] + "." + p[1] + "." + fmt.Sprintf("%x", signature),
		"bits behind the signature":            good[:len(good)-1] + string(alphabet[strings.IndexByte(alphabet, p[2][last])^1]),
		"a longer signature":                   p[0] + "." + p[1] + "." + base64.RawURLEncoding.EncodeToString(append(slices.Clone(signature), 0)),
		"half a signature":                     p[0] + "." + p[1] + "." + base64.RawURLEncoding.EncodeToString(signature[:32]),
		"a signature of zeros":                 p[0] + "." + p[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"a line within":                        p[0] + "\n." + p[1] + "." + p[2],
		"a line in the signature":              p[0] + "." + p[1] + "." + p[2][:40] + "\r\n" + p[2][40:],
		"a blank within":                       p[0] + ". " + p[1] + "." + p[2],
		"a tab in the signature":               p[0] + "." + p[1] + "." + p[2][:40] + "\t" + p[2][40:],
		"a zero behind":                        good + "\x00",
		"a space of no width":                  good + "\u200b",
		"a byte order mark":                    "\ufeff" + good,
		"a full stop that is none":             p[0] + "\uff0e" + p[1] + "." + p[2],
		"other case":                           p[0] + "." + p[1] + "." + strings.ToLower(p[2]),
		"percent-encoding":                     p[0] + "%2e" + p[1] + "%2e" + p[2],
		"quotes":                               `"` + good + `"`,
		"a list of two":                        good + "," + good,
		"two":                                  good + " " + good,
		"a token and another scheme":           "Basic " + good,
		"a signature with S beyond the group":  p[0] + "." + p[1] + "." + base64.RawURLEncoding.EncodeToString(beyondGroup(signature)),
		"4,096 bytes":                          good + strings.Repeat("A", 4096-len(good)),
		"a megabyte less a little":             strings.Repeat("A", 8000) + good,
		"an API of another service: user:pass": "default:" + good,
	}
	return forms
}

// beyondGroup adds the order of the group to a signature's S: it would be another text that is as good, were it not refused.
func beyondGroup(signature []byte) []byte {
	order := [32]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	out, carry := slices.Clone(signature), 0
	for i := range 32 {
		sum := int(out[32+i]) + int(order[i]) + carry
		out[32+i], carry = byte(sum), sum>>8
	}
	return out
}

// signingKey is the key of the deployment, which nobody but its operator has.
func (t *tenant) privateKey() ed25519.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(t.data, "signing.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Nothing that is nearly a token opens anything, wherever it may stand.
func testTokenForms(alice *tenant) {
	a, public := alice.target, alice.privateKey().Public().(ed25519.PublicKey)
	kafkaURL := a.server.Var("UPSTASH_KAFKA_REST_URL")
	header := func(text string) bool { return !strings.ContainsAny(text, "\r\n\x00") } // others cannot be sent
	envelope := func(text string) string {
		user, _ := json.Marshal(alice.ids["qstash"])
		password, _ := json.Marshal(text)
		return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"UserID":%s,"Password":%s}`, user, password))
	}
	var inner struct{ Password string }
	if raw, err := base64.StdEncoding.DecodeString(alice.qstashToken()); err != nil || json.Unmarshal(raw, &inner) != nil {
		a.Fatal("the token of QStash is in no envelope")
	}
	login := alice.kafkaLogin()
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	ways := map[string]struct {
		good string
		try  func(text string) answer
	}{
		"Redis, in the header": {alice.redisToken(), func(text string) answer {
			return a.send("POST", a.url(), []byte(`["PING"]`), "Authorization", "Bearer "+text)
		}},
		"Redis, bare": {alice.redisToken(), func(text string) answer {
			return a.send("POST", a.url(), []byte(`["PING"]`), "Authorization", text)
		}},
		"Redis, in the query": {alice.redisToken(), func(text string) answer {
			return a.send("GET", a.url()+"/ping?_token="+url.QueryEscape(text), nil)
		}},
		"Redis, in its own protocol": {alice.redisToken(), func(text string) answer { return a.stranger().do("AUTH", text) }},
		"Kafka": {login.password, func(text string) answer {
			return a.send("GET", kafkaURL+"/topics", nil, "Authorization", basic(login.user, text))
		}},
		"Kafka, in the query": {login.password, func(text string) answer {
			return a.send("POST", kafkaURL+"/webhook?topic=secret-topic&user="+url.QueryEscape(login.user)+"&pass="+url.QueryEscape(text), []byte("x"))
		}},
		"QStash, within its envelope": {inner.Password, func(text string) answer {
			return a.send("GET", a.qstashURL()+"/v2/queues", nil, "Authorization", "Bearer "+envelope(text))
		}},
		"QStash, as it is": {alice.qstashToken(), func(text string) answer {
			return a.send("GET", a.qstashURL()+"/v2/queues", nil, "Authorization", "Bearer "+text)
		}},
		"QStash, in the query": {inner.Password, func(text string) answer {
			return a.send("GET", a.qstashURL()+"/v2/queues?qstash_token="+url.QueryEscape(envelope(text)), nil)
		}},
		"the Developer API": {alice.redisToken(), func(text string) answer {
			return a.send("GET", a.server.Var("SKYSTASH_API_URL")+"/v2/redis/databases", nil, "Authorization", basic(alice.email, text))
		}},
	}
	for way, w := range ways {
		if r := w.try(w.good); way != "the Developer API" && r.status != http.StatusOK {
			a.Errorf("%s: the token itself is answered %s", way, r)
		}
		jwt := w.good
		if way == "QStash, as it is" {
			jwt = inner.Password
		}
		forms := tokenForms(jwt, public)
		if way == "the Developer API" { // which no token opens, and soon refuses whoever has failed often
			forms = map[string]string{"the token": jwt, "HS256 with nothing": forms["HS256 with nothing"], "none in another case": forms["none in another case"]}
		}
		for name, text := range forms {
			if !header(text) && !strings.Contains(way, "query") && !strings.Contains(way, "own protocol") && !strings.Contains(way, "envelope") && way != "Kafka" && way != "the Developer API" {
				continue
			}
			r := w.try(text)
			if r.status != http.StatusUnauthorized && !(strings.Contains(way, "own protocol") && strings.HasPrefix(r.body, "-WRONGPASS")) && !(len(text) > 4000 && r.status == http.StatusRequestHeaderFieldsTooLarge) {
				a.Errorf("%s, %s: %s", way, name, r)
			}
		}
	}
}

// What a deployment has signed itself opens what it says for as long as it says, and is no fault if it makes no sense.
func testSignedForms(alice *tenant) {
	key := alice.privateKey()
	own := strings.Split(alice.redisToken(), ".")
	header, err := base64.RawURLEncoding.DecodeString(own[0])
	if err != nil {
		alice.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(own[1])
	if err != nil {
		alice.Fatal(err)
	}
	sign := func(header, payload string) string {
		signed := part(header) + "." + part(payload)
		return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
	}
	claim := func(more string) string {
		return sign(string(header), strings.TrimSuffix(string(payload), "}")+","+more+"}")
	}
	in := func(more string) string {
		return sign(strings.TrimSuffix(string(header), "}")+","+more+"}", string(payload))
	}
	if r := alice.do(claim(`"x":1`), "PING"); r.status != http.StatusOK {
		alice.Fatalf("a token that was signed again is answered %s", r)
	}
	for name, text := range map[string]string{
		"ends before time began":        claim(`"exp":-1`),
		"ends when time began":          claim(`"exp":0`),
		"ended by a fraction":           claim(`"exp":1.5`),
		"ends long before":              claim(`"exp":-1e300`),
		"begins after all":              claim(`"nbf":1e300`),
		"begins far in the future":      claim(`"nbf":99999999999`),
		"begins beyond 64 bits":         claim(`"nbf":9223372036854775807`),
		"ends at a text":                claim(`"exp":"9999999999"`),
		"ends at a list":                claim(`"exp":[9999999999]`),
		"begins at a text":              claim(`"nbf":"0"`),
		"audience of another":           claim(`"aud":["other"]`),
		"issuer in a list":              claim(`"iss":["` + token.DefaultIssuer + `"]`),
		"resource in a list":            claim(`"res":["` + alice.ids["database"] + `"]`),
		"resource with a zero":          claim(`"res":"` + alice.ids["database"] + `\u0000"`),
		"resource with a path":          claim(`"res":"../` + alice.ids["database"] + `"`),
		"a resource in another case":    claim(`"res":"` + strings.ToUpper(alice.ids["database"]) + `"`),
		"generation as a text":          claim(`"gen":"1"`),
		"generation of a fraction":      claim(`"gen":1.5`),
		"generation beyond 64 bits":     claim(`"gen":1e300`),
		"critical":                      in(`"crit":["exp"]`),
		"critical, null":                in(`"crit":null`),
		"key as a number":               in(`"kid":1`),
		"key as a list":                 in(`"kid":[]`),
		"no key":                        in(`"kid":null`),
		"a key of nothing":              in(`"kid":""`),
		"a key as a path":               in(`"kid":"../../../../dev/null"`),
		"a key as an order":             in(`"kid":"' or '1'='1"`),
		"another algorithm last":        in(`"alg":"ES256"`),
		"a payload that is not encoded": in(`"b64":false,"crit":["b64"]`),
		"rules that are none":           claim(`"acl":["nosuch"]`),
		"rules as a text":               claim(`"acl":"+@all"`),
	} {
		if r := alice.do(text, "SET", "forged", "1"); r.status != http.StatusUnauthorized {
			alice.Errorf("%s: %s", name, r)
		}
	}
	// These times are far, and no fault.
	for name, text := range map[string]string{
		"ends after all": claim(`"exp":1e300`), "ends beyond 64 bits": claim(`"exp":9223372036854775807`), "ends beyond dates": claim(`"exp":1e18`), "ends in 9999": claim(`"exp":253402300799`), "began before all": claim(`"nbf":-1e300`), "was made after all": claim(`"iat":1e300`),
	} {
		if r := alice.do(text, "PING"); r.status != http.StatusOK && r.status != http.StatusUnauthorized {
			alice.Errorf("%s: %s", name, r)
		}
	}
}

// Where there are several tokens, none adds to what another may do, and one that is no good opens nothing.
func testSeveralTokens(alice *tenant) {
	a, good := alice.target, alice.redisToken()
	readOnly := alice.api("GET", "/redis/database/"+alice.ids["database"], nil).field(alice.T, "read_only_rest_token")
	send := func(query string, tokens ...string) answer {
		a.Helper()
		req, err := http.NewRequestWithContext(a.Context(), "POST", a.url()+"/?"+query, strings.NewReader(`["SET","several","1"]`))
		if err != nil {
			a.Fatal(err)
		}
		for _, t := range tokens {
			req.Header.Add("Authorization", t)
		}
		resp, err := a.client.Do(req)
		if err != nil {
			a.Fatal(err)
		}
		defer resp.Body.Close()
		return answer{status: resp.StatusCode}
	}
	for name, r := range map[string]answer{
		"bad, good":                     send("", "Bearer bad", "Bearer "+good),
		"read-only, good":               send("", "Bearer "+readOnly, "Bearer "+good),
		"bad in the query, good":        send("_token=bad", "Bearer "+good),
		"read-only in the query, good":  send("_token="+readOnly, "Bearer "+good),
		"bad and good in the query":     send("_token=bad&_token="+good, ""),
		"bad in the query, encoded":     send("%5ftoken=bad", "Bearer "+good),
		"bad in another case":           send("_TOKEN="+good, ""),
		"good as a list":                send("_token[]="+good, ""),
		"read-only twice":               send("_token="+readOnly, "Bearer "+readOnly),
		"bad, comma, good in one field": send("", "Bearer bad, Bearer "+good),
	} {
		if r.status < 400 || r.status >= 500 {
			a.Errorf("%s: %d", name, r.status)
		}
	}
	if r := send("", "Bearer "+good); r.status != http.StatusOK {
		a.Errorf("good alone: %d", r.status)
	}
}
