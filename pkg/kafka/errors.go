package kafka

import (
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// ErrorKind says what a request did wrong.
type ErrorKind uint8

const (
	Invalid    ErrorKind = iota + 1 // the request makes no sense
	NotFound                        // there is no such topic, group, instance or cluster
	Exists                          // there is one already
	TooLarge                        // a message is over its topic's limit
	Lost                            // the instance has lost the partition, or has expired
	InUse                           // the group has instances
	OutOfRange                      // there is no such offset in the log

	// Of batches that clients have encoded.
	Corrupt           // it is not what its checksum or its lengths say
	OldFormat         // its format is older than version 2
	BadRecord         // its records are not what a client may append
	BadTimestamp      // it asks for timestamps of a broker
	OutOfSequence     // a batch before it is missing, of the same producer
	DuplicateSequence // it was appended long ago, at an offset that is not known any more
	Fenced            // there is a newer producer with its id
)

// Error is a refusal of a request that is at fault. Nothing was done.
type Error struct {
	Kind ErrorKind
	Text string
}

func (e *Error) Error() string { return e.Text }

func refuse(kind ErrorKind, format string, args ...any) error {
	return &Error{kind, fmt.Sprintf(format, args...)}
}

// IsKind reports whether err is or wraps a refusal of that kind.
func IsKind(err error, kind ErrorKind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// ErrUnknownOutcome means that messages may or may not have been accepted: their
// producer has to send them again, and they may then be there twice.
var ErrUnknownOutcome = fmt.Errorf("kafka: produce: %w", store.ErrUnknownOutcome)

// unmet is the failed condition that err is, if it is one.
func unmet(err error) (*store.ConditionError, bool) {
	var ce *store.ConditionError
	ok := errors.As(err, &ce)
	return ce, ok
}
