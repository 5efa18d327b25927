package server

import (
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
)

// gcPercent trades memory for speed: little of the server's memory is the garbage
// collector's to scan, so it would run often for small savings. GOGC overrides it.
const gcPercent = 400

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
	}
	go giveBack()
	// Who started this program may close its end of the output when it has read the tokens. Otherwise
	// the next line that is written, of a delivery or of the log, would end the program.
	signal.Ignore(syscall.SIGPIPE)
}
