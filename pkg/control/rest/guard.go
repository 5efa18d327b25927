package rest

import (
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
)

const (
	// maxFailures is how many attempts to authenticate an address may fail in guardTime, and
	// maxGuarded how many addresses are watched. API keys have 256 random bits and cannot be guessed:
	// this only tells a client with a wrong key to stop.
	maxFailures = 20
	guardTime   = time.Minute
	maxGuarded  = 4096
)

// guards count failed attempts to authenticate by where they come from.
type guards struct {
	now func() time.Time

	mu sync.Mutex
	m  map[string]guard
}

type guard struct {
	since    fresh.Time
	failures int
}

// closed reports whether an address has failed too often.
func (g *guards) closed(from string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	have, ok := g.m[from]
	return ok && have.failures >= maxFailures && have.since.Within(guardTime, g.now())
}

func (g *guards) failed(from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	have := g.m[from]
	if now := g.now(); !have.since.Within(guardTime, now) {
		have = guard{since: fresh.At(now)}
	}
	have.failures++
	if g.m == nil || len(g.m) >= maxGuarded {
		g.m = map[string]guard{}
	}
	g.m[from] = have
}
