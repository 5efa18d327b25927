package command

import (
	"errors"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// WouldBlock is the error with which a blocking command asks to be run again.
type WouldBlock struct {
	Timeout time.Duration // 0: none
	Args    []string      // nil: the same as before
	None    func()        // writes the reply of one that has waited in vain
}

func (*WouldBlock) Error() string { return "the command blocks" }

// block ends a command that has found nothing. It waits, for timeout seconds at most (0: no limit of
// its own), and runs again; where it must not wait, or has done so, none writes the reply.
func (c *Call) block(timeout float64, none func()) error {
	if !c.MayBlock {
		none()
		return nil
	}
	return &WouldBlock{Timeout: time.Duration(min(timeout, float64(Forever/time.Second)) * float64(time.Second)), None: none}
}

// passesOver reports whether the error is that a key has a value of another type than what the command waits for. A command
// that has waited takes no notice of such a key, as in Redis: it could have been written at any time.
func (c *Call) passesOver(err error) bool { return c.Woken && errors.Is(err, keyspace.ErrWrongType) }

// Forever is longer than any process lives.
const Forever = 100 * 365 * 24 * time.Hour
