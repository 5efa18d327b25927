package deliver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signatureLife is how long a receiver accepts a signature.
const signatureLife = 5 * time.Minute

// Sign makes the signature of a request. The key is the whole text of a signing key.
// Times are whole seconds, rounded down: receivers refuse one in the future.
func Sign(key, url string, body []byte, now time.Time) (string, error) {
	sum := sha256.Sum256(body)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss":  "Upstash",
		"sub":  url,
		"iat":  now.Unix(),
		"exp":  now.Add(signatureLife).Unix(),
		"nbf":  0, // must be there; receivers' clocks may be behind
		"jti":  "jwt_" + rand.Text(),
		"body": base64.URLEncoding.EncodeToString(sum[:]),
	})
	signed, err := t.SignedString([]byte(key))
	if err != nil {
		return "", fmt.Errorf("sign a request: %w", err)
	}
	return signed, nil
}
