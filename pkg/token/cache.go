package token

import (
	"strings"
	"sync"
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

	mu         sync.RWMutex
	young, old map[string]Claims
}

func newCache(size int) *cache {
	return &cache{half: max(size/2, 1), young: map[string]Claims{}}
}

func (c *cache) get(token string) (Claims, bool) {
	c.mu.RLock()
	claims, ok := c.young[token]
	if ok {
		c.mu.RUnlock()
		return claims, true
	}
	claims, ok = c.old[token]
	c.mu.RUnlock()
	if ok {
		c.put(token, claims)
	}
	return claims, ok
}

func (c *cache) put(token string, claims Claims) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.young, c.old = make(map[string]Claims, c.half), c.young
	}
	// The token may be a piece of a much larger string: keep only the piece.
	c.young[strings.Clone(token)] = claims
}
