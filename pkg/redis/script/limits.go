package script

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Limits bound one run. A zero field stands for its default.
type Limits struct {
	Steps  int64         // VM instructions and work of library functions; default 20 million
	Time   time.Duration // wall time, with what the host's calls take, but for Host.Waited; default 5 s
	Memory int64         // bytes that the values of a run take, estimated; default 64 MiB
}

func (l Limits) orDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 20_000_000
	}
	if l.Time == 0 {
		l.Time = 5 * time.Second
	}
	if l.Memory == 0 {
		l.Memory = 64 << 20
	}
	return l
}

const (
	// slice is how many steps a run may take before limits are looked at.
	slice = 4096
	// stepSize is what a step allocates at most, in bytes, on average.
	stepSize = 48
	// stepBytes is how many bytes take as long as a step, with collecting them.
	stepBytes = 64
	// measureEvery is how many bytes a run may allocate before what it holds is measured. A run that
	// holds much may allocate as much again.
	measureEvery = 8 << 20

	callDepth   = 8_000    // nested calls; see also maxNested
	maxRegistry = 1 << 18  // values on the stack
	maxResults  = 7_999    // of unpack, as in Lua 5.1
	tableSlot   = 16       // bytes of a value in a table
	threadSize  = 16 << 10 // bytes of a coroutine, about
)

// budget counts what a run uses up. It is a context, see thread.
type budget struct {
	context.Context // the caller's
	limits          Limits
	host            Host
	measure         func() (bytes, values int64) // what the run holds
	left            int64                        // steps until limits are looked at
	taken           int64                        // steps before the current slice
	began           time.Time
	deadline        time.Time
	idle            time.Duration // that the host had waited before the run
	allocated       int64         // bytes since the run was measured, at most
	unpaid          int64         // bytes that were allocated and are less than a step
	mayAllocate     int64         // bytes before the run is measured again
	held            int64         // bytes, as measured last
	stopped         error         // why the run must end
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (b *budget) start(ctx context.Context, limits Limits, host Host, measure func() (bytes, values int64)) {
	b.Context, b.limits, b.host, b.measure, b.left = ctx, limits, host, measure, slice
	b.began = time.Now()
	b.deadline = b.began.Add(limits.Time)
	b.mayAllocate = measureEvery
	b.idle = b.waited()
}

// Done counts a step.
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
	steps := slice - b.left
	b.taken += steps
	b.left = slice
	b.allocated += steps * stepSize
	switch err := b.Context.Err(); {
	case err != nil:
		b.stop(err)
	case b.taken > b.limits.Steps:
		b.stop(Error(fmt.Sprintf(runningScript+"the script was stopped after %d steps", b.limits.Steps)))
	case time.Now().After(b.deadline.Add(b.waited())):
		b.stop(Error(fmt.Sprintf(runningScript+"the script was stopped after %v", b.limits.Time)))
	case b.allocated > b.mayAllocate:
		b.weigh(steps)
	default:
		b.use(steps, 0)
	}
	return b.stopped
}

// waited is how long the run has waited for others.
func (b *budget) waited() time.Duration {
	if b.host == nil {
		return 0
	}
	return b.host.Waited() - b.idle
}

// use tells the host what the run has used.
func (b *budget) use(steps, bytes int64) {
	if b.host == nil {
		return
	}
	if err := b.host.Use(steps, bytes); err != nil {
		b.stop(err)
	}
}

// weigh measures what the run holds.
func (b *budget) weigh(steps int64) {
	was := b.held
	held, values := b.measure()
	b.held, b.allocated = held, 0
	values *= 2 // looking at one is as much as two steps
	b.taken += values
	b.mayAllocate = measureEvery + max(min(held, b.limits.Memory-held), 0)
	if held > b.limits.Memory {
		b.stop(b.overMemory())
		return
	}
	b.use(steps+values, held-was)
}

// stop ends the run, whatever the script does about it.
func (b *budget) stop(err error) {
	if b.stopped == nil {
		b.stopped = err
	}
	b.left = 0
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

// scan counts steps for a text that is about to be read byte by byte, such as a number.
func (a args) scan(v lua.LValue) {
	if s, ok := v.(lua.LString); ok && len(s) >= 16 {
		a.run().spend(a.LState, len(s)/16)
	}
}

// reserve accounts for bytes that are about to be allocated at once.
func (r *run) reserve(L *lua.LState, bytes int) {
	if int64(bytes) > r.limits.Memory/4 {
		r.stop(r.overMemory())
	}
	if r.allocated += int64(bytes); r.allocated > r.mayAllocate && r.stopped == nil {
		r.weigh(0)
	}
	if r.stopped != nil {
		L.RaiseError("%s", r.stopped.Error())
	}
	r.meets(bytes)
	r.unpaid += int64(bytes) // many small allocations cost as much as a large one
	r.spend(L, int(r.unpaid/stepBytes))
	r.unpaid %= stepBytes
}

// heldBytes is what the values of the run take.
func (r *run) heldBytes() int64 {
	held, values := r.measure()
	r.taken += values
	return held
}
