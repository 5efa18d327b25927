package token

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// GenerateKey makes a new signing key.
func GenerateKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("generating an Ed25519 key: %w", err)
	}
	return key, nil
}

// KeyID is the id under which tokens name a key: the RFC 7638 thumbprint of the
// public key's JWK (RFC 8037, appendix A.3), 43 characters of base64url.
func KeyID(key ed25519.PublicKey) string {
	enc := base64.RawURLEncoding
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + enc.EncodeToString(key) + `"}`))
	return enc.EncodeToString(sum[:])
}

const (
	privateBlock = "PRIVATE KEY" // PKCS #8
	publicBlock  = "PUBLIC KEY"  // SubjectPublicKeyInfo
)

// EncodePrivateKey writes a private key as a PEM block (PKCS #8), as
// "openssl genpkey -algorithm ed25519" does.
func EncodePrivateKey(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

// ParsePrivateKey reads what EncodePrivateKey writes. Errors never contain any
// part of the text.
func ParsePrivateKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != privateBlock {
		return nil, fmt.Errorf("parse a private key: no PEM block %q", privateBlock)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("parse a private key: the PEM block holds no PKCS #8 key")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("parse a private key: %T, want Ed25519", parsed)
	}
	return key, nil
}

// EncodePublicKey writes a public key as a PEM block.
func EncodePublicKey(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}

// ParsePublicKeys reads one public key or more: PEM blocks one after the other
// or, for places that hold a single line, the base64 text of such blocks without
// their first and last lines, several separated by commas or white space.
func ParsePublicKeys(text string) ([]ed25519.PublicKey, error) {
	var ders [][]byte
	if strings.Contains(text, "-----BEGIN") {
		for rest := []byte(strings.TrimSpace(text)); ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				if len(rest) > 0 {
					return nil, errors.New("parse public keys: text that is no PEM block")
				}
				break
			}
			if block.Type != publicBlock {
				return nil, fmt.Errorf("parse public keys: PEM block %q, want %q", block.Type, publicBlock)
			}
			ders = append(ders, block.Bytes)
		}
	} else {
		separator := func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' }
		for _, field := range strings.FieldsFunc(text, separator) {
			der, err := base64.StdEncoding.DecodeString(field)
			if err != nil {
				return nil, errors.New("parse public keys: neither PEM nor base64")
			}
			ders = append(ders, der)
		}
	}
	if len(ders) == 0 {
		return nil, errors.New("parse public keys: no key")
	}
	keys := make([]ed25519.PublicKey, 0, len(ders))
	for _, der := range ders {
		parsed, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, fmt.Errorf("parse public keys: key %d is no SubjectPublicKeyInfo", len(keys)+1)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("parse public keys: key %d is %T, want Ed25519", len(keys)+1, parsed)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
