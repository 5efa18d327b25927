// Package scram is the server's side of SCRAM (RFC 5802, RFC 7677), with which a client proves that it knows a
// password without sending it.
//
// A server keeps a [Verifier], from which nobody gets the password. It can be made only from the
// password, so one is made when a credential is.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

const (
	// Iterations is how often a password is hashed: the least that Kafka's clients accept. The passwords here
	// are signed tokens, which nobody guesses, so more would not make them safer.
	Iterations = 4096

	saltSize  = 16
	nonceSize = 18
)

// Mechanism is one of the hashes that Kafka has mechanisms for.
type Mechanism struct {
	Name string
	hash func() hash.Hash
}

// The mechanisms.
var (
	SHA256 = Mechanism{"SCRAM-SHA-256", sha256.New}
	SHA512 = Mechanism{"SCRAM-SHA-512", sha512.New}
)

// ErrRefused means that a client has not proved anything, or does not speak SCRAM.
var ErrRefused = errors.New("scram: refused")

// Keys are what a server keeps of a password for one mechanism.
type Keys struct {
	Stored, Server []byte
}

// NewSalt makes a salt.
func NewSalt() []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// Derive makes the keys of a password.
func (m Mechanism) Derive(password string, salt []byte, iterations int) (Keys, error) {
	salted, err := pbkdf2.Key(m.hash, password, salt, iterations, m.hash().Size())
	if err != nil {
		return Keys{}, fmt.Errorf("deriving the keys of a password: %w", err)
	}
	client := m.mac(salted, "Client Key")
	stored := m.hash()
	stored.Write(client)
	return Keys{stored.Sum(nil), m.mac(salted, "Server Key")}, nil
}

func (m Mechanism) mac(key []byte, text string) []byte {
	h := hmac.New(m.hash, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// User is what a server knows of a user, or pretends to know.
type User struct {
	Salt       []byte
	Iterations int
	Keys       []Keys // of each password that is good
}

// Exchange is one authentication. Its methods are called once each, in order.
type Exchange struct {
	m         Mechanism
	user      User
	nonce     string // of both sides
	gs2       string
	first     string // the client's first message, without its header
	challenge string
}

// Begin reads a client's first message and returns whose it says it is. The error is ErrRefused.
func (m Mechanism) Begin(message []byte) (e *Exchange, user string, err error) {
	// gs2-cbind-flag "," [ authzid ] "," client-first-message-bare
	parts := strings.SplitN(string(message), ",", 3)
	if len(parts) != 3 || parts[0] != "n" && parts[0] != "y" || parts[1] != "" && !strings.HasPrefix(parts[1], "a=") {
		return nil, "", ErrRefused
	}
	e = &Exchange{m: m, gs2: parts[0] + "," + parts[1] + ",", first: parts[2]}
	values := fields(parts[2])
	if values == nil || values["n"] == "" || values["r"] == "" || values["m"] != "" {
		return nil, "", ErrRefused
	}
	user, ok := unescape(values["n"])
	if authzid, has := strings.CutPrefix(parts[1], "a="); has && ok {
		as, good := unescape(authzid)
		ok = good && as == user
	}
	if !ok {
		return nil, "", ErrRefused
	}
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	e.nonce = values["r"] + base64.StdEncoding.EncodeToString(nonce)
	return e, user, nil
}

// fields are the attributes of a message; nil: it is none.
func fields(message string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(message, ",") {
		name, value, ok := strings.Cut(part, "=")
		if _, twice := out[name]; !ok || twice || name == "" {
			return nil
		}
		out[name] = value
	}
	return out
}

// unescape decodes a name.
func unescape(name string) (string, bool) {
	bare := strings.NewReplacer("=2C", "", "=3D", "").Replace(name)
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name), !strings.Contains(bare, "=")
}

// Challenge is the answer to the first message.
func (e *Exchange) Challenge(u User) []byte {
	e.user = u
	e.challenge = "r=" + e.nonce + ",s=" + base64.StdEncoding.EncodeToString(u.Salt) + ",i=" + strconv.Itoa(u.Iterations)
	return []byte(e.challenge)
}

// Finish reads a client's last message. which is the index of the keys that it has proved to know, and answer proves that the
// server knows them, too. The error is ErrRefused.
func (e *Exchange) Finish(message []byte) (which int, answer []byte, err error) {
	without, proofText, ok := cutLast(string(message), ",p=")
	values := fields(without)
	// librdkafka before 2.2 sends its own nonce twice. What it signs is what it sends, so that is as good.
	if !ok || values["c"] != base64.StdEncoding.EncodeToString([]byte(e.gs2)) || !strings.HasSuffix(values["r"], e.nonce) {
		return 0, nil, ErrRefused
	}
	proof, err := base64.StdEncoding.DecodeString(proofText)
	if err != nil || len(proof) != e.m.hash().Size() {
		return 0, nil, ErrRefused
	}
	signed := e.first + "," + e.challenge + "," + without
	found := -1
	for i, k := range e.user.Keys {
		client := make([]byte, len(proof))
		subtle.XORBytes(client, proof, e.m.mac(k.Stored, signed))
		h := e.m.hash()
		h.Write(client)
		if subtle.ConstantTimeCompare(h.Sum(nil), k.Stored) == 1 {
			found = i
		}
	}
	if found < 0 {
		return 0, nil, ErrRefused
	}
	signature := e.m.mac(e.user.Keys[found].Server, signed)
	return found, []byte("v=" + base64.StdEncoding.EncodeToString(signature)), nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
