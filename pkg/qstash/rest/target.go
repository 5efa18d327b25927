package rest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
)

// rawTarget is the path and query of a request as they were sent.
func rawTarget(r *http.Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	return r.URL.EscapedPath(), r.URL.RawQuery
}

// tokenParameter is the query's parameter that may have the token.
const tokenParameter = "qstash_token"

// ours takes the parameters that are meant for QStash out of a query string and leaves
// the others as they are.
func ours(query string) (params url.Values, rest string) {
	params = url.Values{}
	text, query, _ := edge.CutQuery(query, tokenParameter)
	if text != "" {
		params.Set(tokenParameter, text)
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err == nil && strings.HasPrefix(strings.ToLower(name), "upstash-") {
			if value, err := url.QueryUnescape(rawValue); err == nil {
				params.Add(name, value)
			}
			continue
		}
		if pair != "" {
			kept = append(kept, pair)
		}
	}
	return params, strings.Join(kept, "&")
}

// destination reads the destination out of what follows its endpoint's path.
func destination(raw, query string) string {
	lower := strings.ToLower(raw)
	if strings.HasPrefix(lower, "http%3a") || strings.HasPrefix(lower, "https%3a") {
		if plain, err := url.PathUnescape(raw); err == nil {
			raw = plain
		}
	}
	for _, scheme := range []string{"http:/", "https:/"} {
		// What lies in front may have taken the double slash for one too many.
		if len(raw) > len(scheme) && strings.EqualFold(raw[:len(scheme)], scheme) && raw[len(scheme)] != '/' {
			raw = raw[:len(scheme)] + "/" + raw[len(scheme):]
		}
	}
	if !isURL(raw) {
		if plain, err := url.PathUnescape(strings.TrimSuffix(raw, "/")); err == nil {
			return plain
		}
		return raw
	}
	if query == "" {
		return raw
	}
	if strings.Contains(raw, "?") {
		return raw + "&" + query
	}
	return raw + "?" + query
}

func isURL(text string) bool {
	lower := strings.ToLower(text[:min(len(text), len("https://"))])
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}

// segments are the unescaped parts of a path, without one slash at its end.
func segments(path string) ([]string, error) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil {
			return nil, badRequest("invalid percent-encoding in the URL")
		}
		parts[i] = plain
	}
	return parts, nil
}
