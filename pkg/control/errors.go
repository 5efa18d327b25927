package control

import (
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// ErrorKind says what a request did wrong.
type ErrorKind uint8

const (
	Invalid      ErrorKind = iota + 1 // it makes no sense
	NotFound                          // there is no such thing, or it is another account's
	Exists                            // there is one already
	Unauthorized                      // e-mail address and API key are not those of an account
	Denied                            // the account may not do that
	Quota                             // there are too many
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

// unmet reports whether err is a failed condition.
func unmet(err error) bool {
	var ce *store.ConditionError
	return errors.As(err, &ce)
}
