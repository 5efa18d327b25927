// Package revoked keeps which credentials of a resource were revoked one by one.
//
// Every request needs to know it, so a resource's record, which every instance has in memory, holds a
// [List]. Any number of credentials can be revoked, but a record that is read once a second has to be
// small. So the list has two parts:
//
//   - The credentials revoked last, up to about 2 KB.
//   - The names of pages. A page is an item beside the record that holds up to about 150 KB of
//     credentials, some 4,000.
//
// A page never changes. Its name is a hash of what it holds. An instance therefore reads a page once,
// when a list names it for the first time, and reads only the record from then on.
//
// A token that has expired opens nothing, so its revocation is dropped [Keep] later: by the next
// revocation if it is in the record or in a page with room, otherwise together with its page, when the last
// of the page has expired. Credentials that never expire have pages of their own, for these are never dropped.
// A reset of a resource's credentials ends all of them: [Book.Retire].
//
// An entry of a list or page is the id of a credential, or the name of a page. If it expires, a tab and
// the time follow (Unix s). Records written before revocations expired have ids alone.
package revoked

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keep is how long a revocation is kept after its credential has expired. It is more than the clocks of
// those who check tokens can be apart.
const Keep = time.Hour

const (
	maxRecent = 2 << 10   // bytes of List.Recent: a record of up to 4 KB is one read unit
	maxPage   = 150 << 10 // bytes of a page: one is rewritten whenever the record's part is full
)

// List is what a resource's record says. The zero List has no revocations. It is not changed once made.
type List struct {
	Recent []string `json:"revoked,omitempty"`      // entries: credentials
	Pages  []string `json:"revokedPages,omitempty"` // entries: pages
}

// Equal reports whether two lists say the same.
func (l List) Equal(m List) bool {
	return slices.Equal(l.Recent, m.Recent) && slices.Equal(l.Pages, m.Pages)
}

// Set is the credentials of a resource that were revoked. The nil Set has none. It is not changed once made,
// and safe for concurrent use.
type Set struct {
	list   List
	recent entries
	pages  []page
}

// Of makes a set of credentials, for tests.
func Of(credentials ...string) *Set {
	return &Set{list: List{Recent: credentials}, recent: decode(credentials)}
}

// Has reports whether a credential was revoked.
func (s *Set) Has(credential string) bool {
	if s == nil {
		return false
	}
	if _, ok := s.recent[credential]; ok {
		return true
	}
	return slices.ContainsFunc(s.pages, func(p page) bool {
		_, ok := p.entries[credential]
		return ok
	})
}

// List is what the set was made of.
func (s *Set) List() List {
	if s == nil {
		return List{}
	}
	return s.list
}

// page is what an item beside the record holds.
type page struct {
	name string
	entries
}

func newPage(e entries) page {
	sum := sha256.Sum256([]byte(strings.Join(e.encode(), "\n")))
	return page{base64.RawURLEncoding.EncodeToString(sum[:18]), e}
}

// entries have a time for each name, at which it expires (Unix s; 0: never).
type entries map[string]int64

func decode(list []string) entries {
	e := make(entries, len(list))
	for _, text := range list {
		name, expires := decodeEntry(text)
		e[name] = expires
	}
	return e
}

func decodeEntry(text string) (name string, expires int64) {
	name, at, ok := strings.Cut(text, "\t")
	if !ok {
		return text, 0
	}
	expires, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return text, 0
	}
	return name, expires
}

// encode lists the entries in order of their names.
func (e entries) encode() []string {
	list := make([]string, 0, len(e))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		list = append(list, encodeEntry(name, e[name]))
	}
	return list
}

func encodeEntry(name string, expires int64) string {
	if expires == 0 {
		return name
	}
	return name + "\t" + strconv.FormatInt(expires, 10)
}

// last is when the last of the entries expires; 0: never.
func (e entries) last() (last int64) {
	for _, expires := range e {
		if expires == 0 {
			return 0
		}
		last = max(last, expires)
	}
	return last
}

// size is the bytes of the entries as a list attribute.
func (e entries) size() (n int) {
	for name, expires := range e {
		n += 1 + len(encodeEntry(name, expires))
	}
	return n
}

// gone reports whether an entry counts no more.
func gone(expires int64, now time.Time) bool {
	return expires != 0 && now.After(time.Unix(expires, 0).Add(Keep))
}

// live are the entries that still count.
func (e entries) live(now time.Time) entries {
	live := maps.Clone(e)
	maps.DeleteFunc(live, func(_ string, expires int64) bool { return gone(expires, now) })
	return live
}

// split parts the entries into those that expire and those that never do.
func (e entries) split() (expiring, lasting entries) {
	expiring, lasting = entries{}, entries{}
	for name, expires := range e {
		if expires == 0 {
			lasting[name] = 0
		} else {
			expiring[name] = expires
		}
	}
	return expiring, lasting
}
