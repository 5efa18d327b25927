package redis

import "time"

// wouldBlock is the error with which a blocking command asks to be run again.
type wouldBlock struct {
	timeout time.Duration // 0: none
	args    []string      // nil: the same as before
}

func (*wouldBlock) Error() string { return "the command blocks" }

// block ends a command that has found nothing. It waits, for timeout seconds at most (0: no limit of
// its own), and runs again; where it must not wait, or has done so, none writes the reply.
func (c *call) block(timeout float64, none func()) error {
	if !c.mayBlock {
		none()
		return nil
	}
	return &wouldBlock{timeout: time.Duration(min(timeout, float64(forever/time.Second)) * float64(time.Second))}
}

// forever is longer than any process lives.
const forever = 100 * 365 * 24 * time.Hour
