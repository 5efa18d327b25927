package embedded

import (
	"sync"
	"sync/atomic"
)

// gateShut is added to gate.state to shut it; far more than calls can be inside.
const gateShut = 1 << 32

// gate counts the calls inside and lets nobody in once it is shut.
type gate struct {
	state atomic.Int64 // calls inside, plus gateShut
	idle  chan struct{}
	once  sync.Once
}

func newGate() *gate { return &gate{idle: make(chan struct{})} }

// enter reports whether the call may go on; it then must leave.
func (g *gate) enter() bool {
	if g.state.Add(1) >= gateShut {
		g.leave()
		return false
	}
	return true
}

func (g *gate) leave() {
	if g.state.Add(-1) == gateShut {
		g.once.Do(func() { close(g.idle) })
	}
}

// shut keeps further calls out; idle is closed when the last one has left. It
// reports false if the gate had been shut before.
func (g *gate) shut() bool {
	v := g.state.Add(gateShut)
	if v >= 2*gateShut {
		g.state.Add(-gateShut)
		return false
	}
	if v == gateShut {
		g.once.Do(func() { close(g.idle) })
	}
	return true
}
