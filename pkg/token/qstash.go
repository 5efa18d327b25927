package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// QStashEnvelope puts a token, as the password of an account, into the form that clients
// of QStash expect of theirs.
func QStashEnvelope(account, password string) string {
	text, err := json.Marshal(struct{ UserID, Password string }{account, password}) // #nosec G117 -- it is what clients send
	if err != nil {
		panic(fmt.Sprintf("token: encode an envelope: %v", err)) // strings always can be
	}
	return base64.StdEncoding.EncodeToString(text)
}

// maxDestinations bounds the destinations of a token.
const maxDestinations = 32

// A destination of a token is one of
//
//	a URL                 https://example.com/api/hook      this address, with any query
//	a URL with '*'        https://example.com/api/*         all addresses that begin so
//	a host with '*.'      https://*.example.com/*           those of all hosts below it
//	a URL group's name    orders, or orders-*               this group, or those that begin so
//
// Ports count, and are 80 and 443 where none is given.
type destination struct {
	group  string // of a URL group; "": a URL
	scheme string
	host   string // with port; begins with '.' if it stands for all below it
	path   string
	prefix bool // of path or group
}

func parseDestination(text string) (destination, error) {
	bad := errors.New("a destination is neither a URL nor the name of a URL group, which may end in '*'")
	var d destination
	text, d.prefix = strings.CutSuffix(text, "*")
	if !strings.Contains(text, "://") {
		if strings.ContainsAny(text, "*/:?#\\ ") || text == "" && !d.prefix {
			return d, bad
		}
		d.group = text
		return d, nil
	}
	wild := strings.Contains(text, "://*.")
	u, err := url.Parse(strings.Replace(text, "://*.", "://", 1))
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Hostname() == "" {
		return d, bad
	}
	if d.scheme, d.host, err = origin(u); err != nil {
		return d, bad
	}
	d.path = u.Path
	if d.prefix && d.path == "" || !plainPath(d.path) || strings.Contains(d.host+d.path, "*") {
		return d, bad // a prefix of a host's name is not the same as a host
	}
	if d.path == "" {
		d.path = "/"
	}
	if wild {
		d.host = "." + d.host
	}
	return d, nil
}

// origin is the scheme and the host with its port, in a form that can be compared.
func origin(u *url.URL) (scheme, host string, err error) {
	scheme = strings.ToLower(u.Scheme)
	port := u.Port()
	switch {
	case scheme != "http" && scheme != "https":
		return "", "", errors.New("neither http nor https")
	case port != "":
	case scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return scheme, strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port, nil
}

// plainPath reports whether a decoded path says by itself where it leads.
func plainPath(path string) bool {
	if strings.ContainsAny(path, "\\\x00") {
		return false
	}
	return !slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

func (d destination) covers(target string) bool {
	if !strings.Contains(target, "://") {
		return d.scheme == "" && !strings.ContainsAny(target, ":/") && (target == d.group || d.prefix && strings.HasPrefix(target, d.group))
	}
	u, err := url.Parse(target)
	if err != nil || d.scheme == "" || u.User != nil || !plainPath(u.Path) {
		return false
	}
	scheme, host, err := origin(u)
	if err != nil || scheme != d.scheme {
		return false
	}
	if host != d.host && !(strings.HasPrefix(d.host, ".") && strings.HasSuffix(host, d.host)) {
		return false
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	return path == d.path || d.prefix && strings.HasPrefix(path, d.path)
}

func checkDestinations(list []string) error {
	if len(list) > maxDestinations {
		return fmt.Errorf("more than %d destinations", maxDestinations)
	}
	for _, text := range list {
		if _, err := parseDestination(text); err != nil {
			return err
		}
	}
	return nil
}

// MayDeliver reports whether a QStash token may have messages sent to a URL or a URL
// group.
func (c Claims) MayDeliver(target string) bool {
	if c.Scope != ReadWrite {
		return false
	}
	return len(c.Destinations) == 0 || slices.ContainsFunc(c.Destinations, func(text string) bool {
		d, err := parseDestination(text)
		return err == nil && d.covers(target)
	})
}
