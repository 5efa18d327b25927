package server

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// gcPercent trades memory for speed: little of the server's memory is the garbage
// collector's to scan, so it would run often for small savings. GOGC overrides it.
const gcPercent = 400

// PrepareProcess makes the process one of a server and nothing else.
func PrepareProcess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// Who started this program may close its end of the output when it has read the tokens. Otherwise
	// the next line that is written, of a delivery or of the log, would end the program.
	signal.Ignore(syscall.SIGPIPE)
}
