package server

import (
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"
)

// gcPercent trades memory for speed: little of the server's memory is the garbage
// collector's to scan, so it would run often for small savings. GOGC overrides it.
//
// The collector takes ballast for memory in use, though none of it is ever touched, nor takes room: a server with
// little data collects once in 110 MB of garbage, not in 50, and one with 75 MB of it as often as without ballast at 400.
const (
	gcPercent = 250
	ballast   = 32 << 20
)

// weight is the ballast of this process.
var weight atomic.Pointer[[]byte]

const (
	// idleEvery is how often the process looks whether it is idle.
	idleEvery = 30 * time.Second
	// idleBytes is what an idle process allocates at most in that time: ten thousand requests or so.
	idleBytes = 128 << 20
)

// giveBack collects garbage and returns memory to the system while the process is idle, for as long as it runs. With
// gcPercent alone what a busy time has left behind would stay for long.
func giveBack() {
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(allocated)
	before := allocated[0].Value.Uint64()
	for range time.Tick(idleEvery) {
		metrics.Read(allocated)
		now := allocated[0].Value.Uint64()
		if since := now - before; since > 0 && since <= idleBytes {
			debug.FreeOSMemory()
		}
		before = now
	}
}

// PrepareProcess makes the process one of a server and nothing else.
func PrepareProcess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
		room := make([]byte, ballast)
		weight.Store(&room)
	}
	go giveBack()
	// Who started this program may close its end of the output when it has read the tokens. Otherwise
	// the next line that is written, of a delivery or of the log, would end the program.
	signal.Ignore(syscall.SIGPIPE)
}
