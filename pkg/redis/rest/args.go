package rest

import (
	"net/url"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
)

// sentPath is the path of a URL as the client sent it. URL.EscapedPath is not
// enough: it forgets which slashes were encoded once it meets a character that
// ought to be, but is not, as in curl's /set/a%2Fb/{"c":1}.
func sentPath(u *url.URL) string {
	if path, ok := unescape(u.RawPath, false); ok && path == u.Path {
		return u.RawPath
	}
	return u.EscapedPath()
}

// pathArgs splits an escaped path into its segments, each decoded by itself.
// The path "/" has none; "/a/" has two, the second of them empty.
func pathArgs(escaped string) ([]string, error) {
	escaped = strings.TrimPrefix(escaped, "/")
	if escaped == "" {
		return nil, nil
	}
	args := make([]string, 0, strings.Count(escaped, "/")+1)
	for more := true; more; {
		var segment string
		segment, escaped, more = strings.Cut(escaped, "/")
		arg, ok := unescape(segment, false)
		if !ok {
			return nil, errEscape
		}
		args = append(args, arg)
	}
	return args, nil
}

// queryArgs splits a raw query into arguments: name and value of each
// parameter, or the name alone where there is no '='. Parameters named _token
// are not among them; the first that is not empty is the token. An error
// does not keep the token from being found.
func queryArgs(raw string) (args []string, token string, err error) {
	token, raw, err = edge.CutQuery(raw, tokenParameter)
	if err != nil {
		err = errEscape
	}
	for raw != "" {
		var parameter string
		parameter, raw, _ = strings.Cut(raw, "&")
		if parameter == "" {
			continue
		}
		name, value, hasValue := strings.Cut(parameter, "=")
		name, nameOK := unescape(name, true)
		value, valueOK := unescape(value, true)
		switch {
		case !nameOK || !valueOK:
			err = errEscape
		case hasValue:
			args = append(args, name, value)
		default:
			args = append(args, name)
		}
	}
	if err != nil {
		return nil, token, err
	}
	return args, token, nil
}

// unescape decodes percent-encoding, to any bytes, and in a query '+' to a blank.
func unescape(s string, query bool) (string, bool) {
	special := "%"
	if query {
		special = "%+"
	}
	i := strings.IndexAny(s, special)
	if i < 0 {
		return s, true
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexAny(s, special) {
		b.WriteString(s[:i])
		if s[i] == '+' {
			b.WriteByte(' ')
			s = s[i+1:]
			continue
		}
		if len(s) < i+3 {
			return "", false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		s = s[i+3:]
	}
	b.WriteString(s)
	return b.String(), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// size is what a command counts against the limit: the bytes of its arguments.
func size(args []string) int64 {
	n := 0
	for _, a := range args {
		n += len(a)
	}
	return int64(n)
}
