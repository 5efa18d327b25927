package lambdahttp

import (
	"strings"
)

// EncodedPath turns the rawPath of an event into a validly percent-encoded
// path. literal says that a '%' in it may stand for itself, because the path
// may have been decoded on the way; an HTTP API's path may have been, a function
// URL's not.
//
// Whether a path was decoded cannot be seen in every case. It surely was if it
// holds a character that no client sends unencoded, or a '%' without two
// hexadecimal digits behind it. Only then every '%' is taken as itself;
// otherwise "%41" is still an encoded "A". So behind an HTTP API, a path value
// that reads like an escape (sent as "%2541") can be misread; a function URL or
// the body has no such doubt.
func EncodedPath(raw string, literal bool) string {
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	decoded := literal && wasDecoded(raw)
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '%' && (decoded || !isEscape(raw[i:])), !isValid(c):
			out.WriteByte('%')
			out.WriteByte(upperHex[c>>4])
			out.WriteByte(upperHex[c&15])
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

const upperHex = "0123456789ABCDEF"

func wasDecoded(raw string) bool {
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; !isSent(c) || c == '%' && !isEscape(raw[i:]) {
			return true
		}
	}
	return false
}

// isSent reports whether some client sends a byte of a path as it is: all but
// the URL standard's path percent-encode set.
func isSent(c byte) bool {
	return ' ' < c && c < 0x7f && !strings.ContainsRune("\"#<>?`{}", rune(c))
}

// isValid reports whether a byte can stand in a path as it is (RFC 3986, and
// the brackets that url.URL leaves alone too). Stricter than isSent, because
// url.URL.EscapedPath forgets which slashes were encoded when it meets any other.
func isValid(c byte) bool { return isSent(c) && c != '|' && c != '^' && c != '\\' }

// isEscape reports whether s begins with a percent-encoded byte.
func isEscape(s string) bool { return len(s) >= 3 && isHex(s[1]) && isHex(s[2]) }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// encodedQuery makes a raw query string safe to be part of a URL without
// changing what it means.
func encodedQuery(raw string) string {
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; c <= ' ' || c == '#' || c >= 0x7f {
			out.WriteByte('%')
			out.WriteByte(upperHex[c>>4])
			out.WriteByte(upperHex[c&15])
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}
