package scram

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// The example of RFC 7677, section 3.
const (
	rfcFirst  = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
	rfcNonce  = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	rfcServer = "r=" + rfcNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	rfcFinal  = "c=biws,r=" + rfcNonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	rfcAnswer = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func rfcUser(t testing.TB, m Mechanism) User {
	t.Helper()
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := m.Derive("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return User{Salt: salt, Iterations: 4096, Keys: []Keys{{make([]byte, 32), nil}, keys}}
}

func rfcExchange(t testing.TB) *Exchange {
	t.Helper()
	e, user, err := SHA256.Begin([]byte(rfcFirst))
	if err != nil || user != "user" {
		t.Fatalf("%q, %v", user, err)
	}
	if !strings.HasPrefix(e.nonce, "rOprNGfwEbeRWgbNEkqO") || len(e.nonce) < 40 {
		t.Errorf("nonce %q", e.nonce)
	}
	e.nonce = rfcNonce
	return e
}

func TestExampleOfTheRFC(t *testing.T) {
	e := rfcExchange(t)
	if got := string(e.Challenge(rfcUser(t, SHA256))); got != rfcServer {
		t.Errorf("challenge %s", got)
	}
	which, answer, err := e.Finish([]byte(rfcFinal))
	if err != nil || which != 1 || string(answer) != rfcAnswer {
		t.Errorf("keys %d, %s, %v", which, answer, err)
	}
}

func TestWrongProofsAreRefused(t *testing.T) {
	for name, final := range map[string]string{
		"nothing":            "",
		"no proof":           "c=biws,r=" + rfcNonce,
		"another nonce":      strings.Replace(rfcFinal, "r=rO", "r=xO", 1),
		"a longer nonce":     strings.Replace(rfcFinal, "r=rO", "r=rOrO", 1), // it is not what was signed
		"another proof":      strings.Replace(rfcFinal, "p=dH", "p=eH", 1),
		"a short proof":      strings.Replace(rfcFinal, "p=dHzbZapW", "p=", 1),
		"channel binding":    strings.Replace(rfcFinal, "c=biws", "c=eSws", 1),
		"something inserted": strings.Replace(rfcFinal, ",p=", ",x=1,p=", 1),
	} {
		e := rfcExchange(t)
		e.Challenge(rfcUser(t, SHA256))
		if _, _, err := e.Finish([]byte(final)); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := rfcExchange(t)
	e.Challenge(User{Salt: NewSalt(), Iterations: Iterations})
	if _, _, err := e.Finish([]byte(rfcFinal)); !errors.Is(err, ErrRefused) {
		t.Errorf("an unknown user: %v", err)
	}
}

// librdkafka before 2.2 puts the client's nonce before both, and signs that.
func TestNonceThatIsRepeated(t *testing.T) {
	e := rfcExchange(t)
	user := rfcUser(t, SHA256)
	challenge := string(e.Challenge(user))
	without := "c=biws,r=rOprNGfwEbeRWgbNEkqO" + rfcNonce
	salted, err := pbkdf2.Key(sha256.New, "pencil", user.Salt, 4096, 32)
	if err != nil {
		t.Fatal(err)
	}
	client := SHA256.mac(salted, "Client Key")
	proof := make([]byte, len(client))
	subtle.XORBytes(proof, client, SHA256.mac(user.Keys[1].Stored, e.first+","+challenge+","+without))
	if _, _, err := e.Finish([]byte(without + ",p=" + base64.StdEncoding.EncodeToString(proof))); err != nil {
		t.Error(err)
	}
}

func TestFirstMessages(t *testing.T) {
	for message, user := range map[string]string{
		"n,,n=a=2Cb=3Dc,r=x":            "a,b=c",
		"y,,n=a,r=x":                    "a",
		"n,a=me,n=me,r=x":               "me",
		"n,,n=a,r=x,tokenauth=true":     "a",
		"n,a=other,n=me,r=x":            "",
		"p=tls-unique,,n=a,r=x":         "",
		"n,,m=ext,n=a,r=x":              "",
		"n,,n=a":                        "",
		"n,,r=x":                        "",
		"n,,n=a=b,r=x":                  "",
		"n,,n=a,n=b,r=x":                "",
		"":                              "",
		"x":                             "",
		strings.Repeat("n,,", 1000):     "",
		"n,,n=a,r=x,c=\x00\xff,=,=\x01": "",
	} {
		_, got, err := SHA512.Begin([]byte(message))
		if got != user || (err == nil) != (user != "") {
			t.Errorf("%q: %q, %v", message, got, err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(rfcFirst), []byte(rfcFinal))
	f.Add([]byte("n,a=x,n=x,r=1"), []byte("c=,r=,p="))
	user := rfcUser(f, SHA256)
	f.Fuzz(func(t *testing.T, first, final []byte) {
		e, _, err := SHA256.Begin(first)
		if err != nil {
			return
		}
		e.Challenge(user)
		if _, _, err := e.Finish(final); err == nil {
			t.Errorf("%q and %q prove something", first, final)
		}
	})
}
