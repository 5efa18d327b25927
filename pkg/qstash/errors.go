package qstash

import (
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// Kind says what is wrong with a request.
type Kind uint8

const (
	KindInvalid  Kind = iota + 1 // it can never succeed
	KindNotFound                 // what it names does not exist
	KindQuota                    // there are too many of them
	KindTooLarge                 // it is over a size limit
	KindTooMany                  // it would make too many messages, see Limits.Messages
	KindLoop                     // it is a delivery of messages that go round in circles, see Trail
)

// Error refuses a request; nothing has changed. The text is for the client.
type Error struct {
	Kind Kind
	Text string
}

func (e *Error) Error() string { return e.Text }

func invalid(format string, args ...any) error {
	return &Error{KindInvalid, fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &Error{KindNotFound, fmt.Sprintf(format, args...)}
}

func quota(format string, args ...any) error {
	return &Error{KindQuota, fmt.Sprintf(format, args...)}
}

// errNoDestination refuses a message that is for nobody, in the words that clients know.
var errNoDestination = &Error{KindInvalid, "a non-empty destination must be provided"}

// errChanged says that somebody else was faster, for attempts that have found out by themselves.
var errChanged = fmt.Errorf("qstash: somebody else has changed it: %w", store.ErrConflict)

// unmetCondition is the condition that an error says was not met.
func unmetCondition(err error) (*store.ConditionError, bool) {
	ce := (*store.ConditionError)(nil)
	unmet := errors.As(err, &ce)
	return ce, unmet
}

// unmetError says that a condition was not met for which a further attempt makes no sense.
type unmetError struct {
	key store.Key
	old store.Attrs // the item as it was found
}

func (e *unmetError) Error() string {
	return fmt.Sprintf("qstash: another item than expected at %q", e.key)
}
