package command

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	minPassword = 16 // bytes of a password that is not from ACL GENTOKEN
	maxPassword = 512
)

// A user's token is this prefix and, in base64, the database, the user and the password, apart
// by a NUL byte. It holds no rights: they are looked up.
const userTokenPrefix = "acl_"

// IsUserToken tells the tokens of users from others.
func IsUserToken(token string) bool { return strings.HasPrefix(token, userTokenPrefix) }

// UserToken is the token of a user of a database with a password.
func UserToken(db, name, password string) string {
	return userTokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(db+"\x00"+name+"\x00"+password))
}

// SplitUserToken reads what UserToken makes.
func SplitUserToken(token string) (db, name, password string, ok bool) {
	text, is := strings.CutPrefix(token, userTokenPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	parts := strings.SplitN(string(raw), "\x00", 3)
	if !is || err != nil || len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// GivenPassword is the password that a client means: it may come inside a token. What can be guessed is refused.
func GivenPassword(text string) (string, error) {
	if _, _, password, ok := SplitUserToken(text); ok {
		text = password
	}
	distinct := map[rune]bool{}
	for _, r := range text {
		distinct[r] = true
	}
	switch {
	case len(text) < minPassword || len(distinct) < 6:
		return "", fmt.Errorf("the password is too weak: use ACL GENTOKEN, or at least %d characters", minPassword)
	case len(text) > maxPassword || strings.Contains(text, "\x00"):
		return "", fmt.Errorf("the password is longer than %d bytes or holds a NUL byte", maxPassword)
	}
	return text, nil
}

// HashPassword is what is kept of a password.
func HashPassword(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

// NewPassword makes a random password.
func NewPassword() string { return rand.Text() + rand.Text() }
