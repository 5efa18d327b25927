package script

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Limits bound one run. A zero field stands for its default.
type Limits struct {
	Steps  int64         // VM instructions and work of library functions; default 20 million
	Time   time.Duration // wall time without what the host's calls take; default 5 s
	Memory int64         // bytes by which the process's heap may grow; default 256 MiB
}

func (l Limits) orDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 20_000_000
	}
	if l.Time == 0 {
		l.Time = 5 * time.Second
	}
	if l.Memory == 0 {
		l.Memory = 256 << 20
	}
	return l
}

const (
	// slice is how many steps a run may take before limits are looked at.
	slice = 4096
	// memorySlice is how many bytes a run may allocate, as far as they are
	// accounted for, before the heap is looked at.
	memorySlice = 8 << 20
	// memorySlices is every how many slices the heap is looked at in any case.
	memorySlices = 4

	callDepth   = 8_000    // nested calls; see also maxNested
	maxRegistry = 1 << 18  // values on the stack
	maxResults  = 7_990    // of unpack, as in Lua 5.1
	tableSlot   = 16       // bytes of a value in a table
	threadSize  = 16 << 10 // bytes of a coroutine, about
)

// budget counts what a run uses up. It is a context, which gopher-lua asks before
// every instruction whether it is done: that is where steps are counted.
type budget struct {
	context.Context // the caller's
	limits          Limits
	left            int64 // steps until limits are looked at
	taken           int64 // steps before the current slice
	slices          int
	began           time.Time
	deadline        time.Time
	allocated       int64  // bytes accounted for since the heap was looked at
	heap            uint64 // size of the heap when the run began
	sample          [1]metrics.Sample
	stopped         error // why the run must end
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (b *budget) start(ctx context.Context, limits Limits) {
	b.Context, b.limits, b.left = ctx, limits, slice
	b.began = time.Now()
	b.deadline = b.began.Add(limits.Time)
	b.sample[0].Name = "/memory/classes/heap/objects:bytes"
	b.heap = b.heapSize()
}

// Done counts a step. It implements [context.Context] for gopher-lua.
func (b *budget) Done() <-chan struct{} {
	if b.left--; b.left > 0 {
		return nil
	}
	if b.look() != nil {
		return closed
	}
	return nil
}

// Err is why the run must end.
func (b *budget) Err() error { return b.stopped }

// look checks the limits and begins another slice.
func (b *budget) look() error {
	if b.stopped != nil {
		return b.stopped
	}
	b.taken += slice - b.left
	b.left = slice
	b.slices++
	switch err := b.Context.Err(); {
	case err != nil:
		b.stop(err)
	case b.taken > b.limits.Steps:
		b.stop(Error(fmt.Sprintf(runningScript+"the script was stopped after %d steps", b.limits.Steps)))
	case time.Now().After(b.deadline):
		b.stop(Error(fmt.Sprintf(runningScript+"the script was stopped after %v", b.limits.Time)))
	case b.allocated > memorySlice || b.slices%memorySlices == 0:
		b.lookAtHeap()
	}
	return b.stopped
}

// stop ends the run, whatever the script does about it.
func (b *budget) stop(err error) {
	if b.stopped == nil {
		b.stopped = err
	}
	b.left = 0
}

// lookAtHeap measures the heap of the whole process: exact where one script runs
// at a time, as in a Lambda. Elsewhere others' garbage counts at first, so it is collected before
// anything is held against the script.
func (b *budget) lookAtHeap() {
	b.allocated = 0
	if b.grown() <= b.limits.Memory {
		return
	}
	runtime.GC()
	if b.grown() > b.limits.Memory {
		b.stop(b.overMemory())
	}
}

func (b *budget) grown() int64 { return int64(b.heapSize()) - int64(b.heap) }

func (b *budget) heapSize() uint64 {
	metrics.Read(b.sample[:])
	return b.sample[0].Value.Uint64()
}

func (b *budget) overMemory() Error {
	return Error(fmt.Sprintf(runningScript+"the script was stopped because it took more than %d bytes of memory", b.limits.Memory))
}

// spend counts steps that a library function takes.
func (r *run) spend(L *lua.LState, steps int) {
	if r.left -= int64(steps); r.left <= 0 && r.look() != nil {
		L.RaiseError("%s", r.stopped.Error())
	}
}

// reserve accounts for bytes that are about to be allocated at once.
func (r *run) reserve(L *lua.LState, bytes int) {
	if int64(bytes) > r.limits.Memory/4 {
		r.stop(r.overMemory())
	}
	if r.allocated += int64(bytes); r.allocated > memorySlice && r.stopped == nil {
		r.lookAtHeap()
	}
	if r.stopped != nil {
		L.RaiseError("%s", r.stopped.Error())
	}
	r.spend(L, bytes/256)
}
