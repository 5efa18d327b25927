// Package wake is the port through which the QStash engine asks to be called again
// at a time.
//
// A [Hint] is no more than that: it may arrive late, early, twice or, when a process
// dies, not at all. The engine's store says what there is to do; its sweep finds
// what no hint has come for.
//
// pkg/qstash/wake/embedded keeps hints in memory, for one process;
// pkg/qstash/wake/aws uses SQS and EventBridge Scheduler. Both pass the suite in
// pkg/qstash/wake/waketest.
package wake

import (
	"context"
	"time"
)

// Hint asks for a call of the handler with Key, at At or soon after. A time in the past means now.
type Hint struct {
	At  time.Time
	Key string // plain text without control characters, at most MaxKey bytes
}

// MaxKey bounds a hint's key.
const MaxKey = 2048

// Waker takes hints. Implementations are safe for concurrent use.
type Waker interface {
	// Wake arranges for the hints. After an error some of them may have been.
	Wake(ctx context.Context, hints ...Hint) error
}

// Handler is called with the key of a hint. An error asks for another call later.
type Handler func(ctx context.Context, key string) error
