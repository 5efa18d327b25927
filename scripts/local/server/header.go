package server

import "github.com/valyala/fasthttp"

// header is the header fields that requests to the REST API are asked for, each the first of its name. It is read in one go:
// to look a field up takes fasthttp as long as that. The values are valid as long as the request.
type header struct {
	authorization, origin, fetchSite, encoding, format, syncToken, accepts, coding []byte
}

func (h *header) read(from *fasthttp.RequestHeader) {
	for name, value := range from.All() {
		if field := h.field(string(name)); field != nil && *field == nil {
			*field = value
		}
	}
}

// get is not ok if the field is none of those that were read.
func (h *header) get(name string) (value []byte, ok bool) {
	field := h.field(name)
	if field == nil {
		return nil, false
	}
	return *field, true
}

// field is the place of a field, whose name is in canonical form; nil: it is not read.
func (h *header) field(name string) *[]byte {
	switch name {
	case "Authorization":
		return &h.authorization
	case "Origin":
		return &h.origin
	case "Sec-Fetch-Site":
		return &h.fetchSite
	case "Upstash-Encoding":
		return &h.encoding
	case "Upstash-Response-Format":
		return &h.format
	case "Upstash-Sync-Token":
		return &h.syncToken
	case "Accept-Encoding":
		return &h.accepts
	case "Content-Encoding":
		return &h.coding
	}
	return nil
}
