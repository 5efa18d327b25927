package rest

import (
	"net/http"

	"github.com/skystash/skystash/pkg/edge"
)

// methods is a set of HTTP methods.
type methods uint8

const (
	reads methods = 1 << iota
	posts
	puts
	patches
	removes

	changes = posts | puts | patches // clients use any of them to change something
)

// methodNames are the methods of a set, by the number of their bit.
var methodNames = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// has reports whether a method is in the set.
func (m methods) has(method string) bool {
	for i, name := range methodNames {
		if name == method {
			return m&(1<<i) != 0
		}
	}
	return false
}

// names lists the methods of the set.
func (m methods) names() []string {
	var out []string
	for i, name := range methodNames {
		if m&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// at reports whether the request is for a path, as is tells, with one of some methods. It notes what
// methods the path has.
func (x *exchange) at(m methods, pattern ...string) bool {
	if !x.is(pattern...) {
		return false
	}
	x.allowed |= m
	return m.has(x.method)
}

// unserved tells a wrong method from a path that does not exist, once at has been asked for all paths.
func (x *exchange) unserved() error {
	if x.allowed == 0 {
		return errNotFound
	}
	return edge.NotAllowed("method not allowed", x.allowed.names()...)
}

// changes reports whether the method is one of those that clients use to change something.
func (x *exchange) changes() bool { return changes.has(x.method) }
