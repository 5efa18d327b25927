package token

import (
	"strings"
	"sync"
	"sync/atomic"
)

// cache remembers claims of tokens, at most size of them. It keeps two
// generations: when the young one is full it becomes the old one, and what was
// old and not asked for since is dropped, a whole map at a time. That is about
// as good as least-recently-used and needs no list.
//
// Keys are the tokens themselves. Only verified ones come in, so nobody can
// fill the cache without the signing key.
type cache struct {
	half int // capacity of one generation

	last atomic.Pointer[verified] // that was asked for, so that one token that comes again and again costs no lock

	mu         sync.RWMutex
	young, old map[string]*verified
}

// verified is a token with what it says. It is immutable.
type verified struct {
	token  string
	claims Claims
}

func newCache(size int) *cache {
	return &cache{half: max(size/2, 1), young: map[string]*verified{}}
}

// get returns the claims of a token, which must not be changed, or nil.
func (c *cache) get(token string) *Claims {
	if v := c.last.Load(); v != nil && v.token == token {
		return &v.claims
	}
	c.mu.RLock()
	v := c.young[token]
	aged := v == nil
	if aged {
		v = c.old[token]
	}
	c.mu.RUnlock()
	if v == nil {
		return nil
	}
	if aged {
		c.add(v)
	}
	c.last.Store(v)
	return &v.claims
}

func (c *cache) put(token string, claims Claims) {
	// The token may be a piece of a much larger string: keep only the piece.
	c.add(&verified{strings.Clone(token), claims})
}

func (c *cache) add(v *verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.young, c.old = make(map[string]*verified, c.half), c.young
	}
	c.young[v.token] = v
}
