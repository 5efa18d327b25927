package edge

import (
	"errors"
	"net/url"
	"strings"
)

// Bearer is the token of an Authorization header of the form "Bearer <token>". The scheme is
// matched without regard to case (RFC 9110, 11.1). It is not ok if the header has another form.
func Bearer(authorization string) (token string, ok bool) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(authorization), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// ErrQuery is the error of a query whose percent-encoding is malformed.
var ErrQuery = errors.New("edge: malformed percent-encoding in the query")

// CutQuery takes all parameters of a name out of a query as it was sent. It returns the first of
// their values that is not empty, decoded, and the query without them, otherwise unchanged. A value that
// cannot be decoded is taken out as well, and makes an ErrQuery: a token must not stay in what goes on
// to a log or to a destination.
func CutQuery(raw, name string) (value, rest string, err error) {
	if raw == "" {
		return "", "", nil
	}
	var kept []string
	found, at := false, 0
	for parameter := range strings.SplitSeq(raw, "&") {
		rawName, rawValue, _ := strings.Cut(parameter, "=")
		begins := at
		at += len(parameter) + 1
		if !named(rawName, name) {
			if found {
				kept = append(kept, parameter)
			}
			continue
		}
		if !found && begins > 0 {
			kept = append(kept, raw[:begins-1])
		}
		found = true
		decoded, bad := url.QueryUnescape(rawValue)
		switch {
		case bad != nil:
			err = ErrQuery
		case value == "":
			value = decoded
		}
	}
	if !found {
		return "", raw, nil
	}
	return value, strings.Join(kept, "&"), err
}

// named reports whether a parameter's name, as it was sent, is name.
func named(raw, name string) bool {
	if raw == name || !strings.Contains(raw, "%") && !strings.Contains(raw, "+") {
		return raw == name
	}
	decoded, err := url.QueryUnescape(raw)
	return err == nil && decoded == name
}
