package rest

import (
	"net/http"
	"slices"
	"strings"
)

// ofHTTP are header fields that say something about the request, not of the event:
// those of the HTTP specifications, and what proxies add.
var ofHTTP = map[string]bool{
	"authorization": true, "connection": true, "cookie": true, "date": true, "expect": true, "forwarded": true,
	"from": true, "host": true, "keep-alive": true, "max-forwards": true, "origin": true, "pragma": true,
	"priority": true, "range": true, "referer": true, "te": true, "trailer": true, "transfer-encoding": true,
	"upgrade": true, "upgrade-insecure-requests": true, "user-agent": true, "via": true, "warning": true,
	"dnt": true, "cache-control": true, "http2-settings": true, "alt-used": true, "early-data": true,
	"x-real-ip": true, "true-client-ip": true, "cdn-loop": true,
}

var ofHTTPPrefixes = []string{
	"accept", "access-control-", "content-", "if-", "proxy-", "sec-",
	"x-forwarded-", "x-amz-", "x-amzn-", "cf-", "cloudfront-",
}

// ofEvents are those below a prefix of ofHTTPPrefixes that a sender sets, not what is in between.
const ofEvents = "x-amz-sns-" // Amazon SNS: the kind of the message, its topic and its id

func isOfHTTP(name string) bool {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, ofEvents) {
		return false
	}
	return ofHTTP[name] || slices.ContainsFunc(ofHTTPPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// sortedNames are the names of the header fields that are part of the event.
func sortedNames(h http.Header) []string {
	var names []string
	for name := range h {
		if !isOfHTTP(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
