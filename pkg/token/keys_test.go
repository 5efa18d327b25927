package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

func TestKeyIDIsTheThumbprintOfRFC8037(t *testing.T) {
	key, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := KeyID(key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPrivateKeySurvivesPEM(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := EncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParsePrivateKey(text)
	if err != nil || !got.Equal(key) {
		t.Fatalf("got another key, %v", err)
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := EncodePublicKey(public(seedKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing":           nil,
		"no PEM":            []byte("secret"),
		"a public key":      pub,
		"another algorithm": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ecDER}),
		"no key in it":      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParsePrivateKey(text); err == nil {
				t.Fatal("accepted")
			} else if strings.Contains(err.Error(), "secret") {
				t.Fatalf("the error quotes the text: %v", err)
			}
		})
	}
}

func TestParsePublicKeysReads(t *testing.T) {
	one, two := public(seedKey(1)), public(seedKey(2))
	pemOf := func(key ed25519.PublicKey) string {
		text, err := EncodePublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	line := func(key ed25519.PublicKey) string {
		block, _ := pem.Decode([]byte(pemOf(key)))
		return base64.StdEncoding.EncodeToString(block.Bytes)
	}
	tests := []struct {
		name, text string
		want       []ed25519.PublicKey
	}{
		{"one PEM block", pemOf(one), []ed25519.PublicKey{one}},
		{"two PEM blocks", pemOf(one) + "\n" + pemOf(two), []ed25519.PublicKey{one, two}},
		{"PEM with white space around", "\n  " + pemOf(one) + "  \n", []ed25519.PublicKey{one}},
		{"one line of base64", line(one), []ed25519.PublicKey{one}},
		{"two separated by a comma", line(one) + "," + line(two), []ed25519.PublicKey{one, two}},
		{"two separated by a line break", line(one) + "\n" + line(two) + "\n", []ed25519.PublicKey{one, two}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePublicKeys(tt.text)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("got %d keys, %v, want %d", len(got), err, len(tt.want))
			}
			for i := range got {
				if !got[i].Equal(tt.want[i]) {
					t.Errorf("key %d is another", i)
				}
			}
		})
	}
}

func TestParsePublicKeysRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := EncodePrivateKey(seedKey(1))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := EncodePublicKey(public(seedKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":               "",
		"white space":           " \n",
		"no base64":             "hello!",
		"base64 of no key":      "aGVsbG8=",
		"another algorithm":     base64.StdEncoding.EncodeToString(ecDER),
		"a private key":         string(private),
		"PEM and something":     string(pub) + "more",
		"a block without end":   "-----BEGIN PUBLIC KEY-----\nAAAA",
		"a good and a bad line": base64.StdEncoding.EncodeToString(ecDER) + ",!",
	} {
		t.Run(name, func(t *testing.T) {
			if keys, err := ParsePublicKeys(text); err == nil {
				t.Fatalf("accepted %d keys", len(keys))
			} else if strings.Contains(err.Error(), "PRIVATE KEY-----\nM") {
				t.Fatalf("the error quotes the text: %v", err)
			}
		})
	}
}

func FuzzParsePublicKeys(f *testing.F) {
	f.Add("MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=")
	f.Add("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\n-----END PUBLIC KEY-----\n")
	f.Add("a,b")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParsePublicKeys(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, key := range keys {
			if len(key) != ed25519.PublicKeySize {
				t.Fatalf("a key of %d bytes", len(key))
			}
		}
	})
}
