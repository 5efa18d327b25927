// Package wake is the port through which the QStash engine asks to be called again
// at a time.
//
// A [Hint] is no more than that: it may arrive late, early, twice or, when a process
// dies, not at all. The engine's store says what there is to do; its sweep finds
// what no hint has come for.
//
// What is due again and again can be left to a waker that repeats hints by itself, see
// [Waker].Repeat.
//
// pkg/qstash/wake/embedded keeps hints in memory, for one process;
// pkg/qstash/wake/aws uses SQS and EventBridge Scheduler. Both pass the suite in
// pkg/qstash/wake/waketest.
package wake

import (
	"context"
	"time"

	"github.com/skystash/skystash/pkg/qstash/cron"
)

// Hint asks for a call of the handler with Key, at At or soon after. A time in the past means now.
type Hint struct {
	At  time.Time
	Key string // plain text without control characters, at most MaxKey bytes

	// Account and Host say on whose behalf the call is, and which destination it may have to wait
	// for ("" if none, or not known). A waker that bounds its calls shares them out fairly by these;
	// hints without an account have no share of their own.
	Account, Host string
}

// MaxKey bounds a hint's key.
const MaxKey = 2048

// Waker takes hints. Implementations are safe for concurrent use.
type Waker interface {
	// Wake arranges for the hints. After an error some of them may have been.
	Wake(ctx context.Context, hints ...Hint) error

	// Repeat arranges for a call with a key at each time of a schedule, within the
	// minute, until Cease. It reports false if the waker does not do that for this
	// schedule, which then needs a hint for each time. A key must always come with the
	// same schedule; repeating it again changes nothing. After an error it may be
	// repeated or not.
	Repeat(ctx context.Context, key string, s *cron.Schedule) (bool, error)

	// Cease ends what Repeat has arranged for a key, if it has. Calls that are on
	// their way still come.
	Cease(ctx context.Context, key string) error
}

// Handler is called with the key of a hint. An error asks for another call later.
type Handler func(ctx context.Context, key string) error
