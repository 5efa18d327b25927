package qstash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Header holds header fields by their canonical MIME names.
type Header map[string][]string

// Get is the first value of a field.
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// maxHeader bounds the forwarded header fields of a message, in bytes.
const maxHeader = 64 << 10

// check refuses fields that no request can carry: their message would fail with each attempt. A name is a
// token of RFC 9110, and a value has no control characters but tabs.
func (h Header) check() error {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name == "" || strings.ContainsFunc(name, notInToken) {
			return invalid("invalid header name %.100q: it can only have letters, digits and !#$%%&'*+-.^_`|~", name)
		}
		for _, value := range h[name] {
			if i := strings.IndexFunc(value, isControl); i >= 0 {
				return invalid("invalid value for header %.100s: control character %q", name, value[i])
			}
			size += len(name) + len(value)
		}
	}
	if size > maxHeader {
		return &Error{KindTooLarge, fmt.Sprintf("maximum size of forwarded headers exceeded: limit %d bytes", maxHeader)}
	}
	return nil
}

func notInToken(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// Fields that deliveries set, besides what the publisher has forwarded.
const (
	headerMessageID  = "Upstash-Message-Id"
	headerRetried    = "Upstash-Retried"
	headerRegion     = "Upstash-Region"
	headerScheduleID = "Upstash-Schedule-Id"
	headerTopic      = "Upstash-Topic-Name"
	headerCallerIP   = "Upstash-Caller-Ip"
	headerSignature  = "Upstash-Signature" // by the Sender
	headerLabel      = "Upstash-Label"     // of a workflow run that has any; may be forwarded
	headerUserAgent  = "User-Agent"

	userAgent = "Upstash-QStash"
)

// reserved are the fields that tell a destination what a delivery is, in lower case. It has to be able to
// rely on them, so a publisher cannot forward them: where a delivery has no such field, there is none.
var reserved = []string{
	strings.ToLower(headerMessageID), strings.ToLower(headerRetried), strings.ToLower(headerRegion),
	strings.ToLower(headerScheduleID), strings.ToLower(headerTopic), strings.ToLower(headerCallerIP),
	strings.ToLower(headerSignature), strings.ToLower(headerUserAgent), strings.ToLower(HeaderHops),
}

// forwarded is a copy of the fields without those that are reserved.
func (h Header) forwarded() Header {
	out := make(Header, len(h)+len(reserved))
	for name, values := range h {
		if !slices.Contains(reserved, strings.ToLower(name)) {
			out[name] = values
		}
	}
	return out
}
