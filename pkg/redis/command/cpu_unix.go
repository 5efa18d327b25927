//go:build unix

package command

import "syscall"

// cpuSeconds is how long processors have worked for the process: in the system, and for itself.
func cpuSeconds() (system, user float64, ok bool) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, 0, false
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Stime), seconds(u.Utime), true
}
