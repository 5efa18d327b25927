//go:build !unix

package command

// cpuSeconds is not known here.
func cpuSeconds() (system, user float64, ok bool) { return 0, 0, false }
