package qstash

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"unicode/utf8"
)

// redacted stands for a value that is not shown.
func redacted(value string) string {
	sum := sha256.Sum256([]byte(value))
	return "REDACTED:" + hex.EncodeToString(sum[:])
}

// body is a body as it may be shown.
func (r *Redact) body(body []byte) []byte {
	if r == nil || !r.Body || len(body) == 0 {
		return body
	}
	return []byte(redacted(string(body)))
}

// header is a header as it may be shown.
func (r *Redact) header(h Header) Header {
	if r == nil || !r.Headers && len(r.Header) == 0 {
		return h
	}
	out := make(Header, len(h))
	for name, values := range h {
		if r.Headers || slices.Contains(r.Header, name) {
			hidden := make([]string, len(values))
			for i, v := range values {
				hidden[i] = redacted(v)
			}
			values = hidden
		}
		out[name] = values
	}
	return out
}

// split returns a body as text if it is valid UTF-8, otherwise as bytes.
func split(body []byte) (text string, raw []byte) {
	if utf8.Valid(body) {
		return string(body), nil
	}
	return "", body
}
