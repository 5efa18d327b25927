package command

import (
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// Error is a Redis error reply: its code and text.
type Error = resp.Error

// Error replies that several commands share, in Redis's words.
const (
	ErrSyntax      Error = "ERR syntax error"
	ErrNotInteger  Error = "ERR value is not an integer or out of range"
	errNotFloat    Error = "ERR value is not a valid float"
	errNoKey       Error = "ERR no such key"
	errIndexRange  Error = "ERR index out of range"
	errNotPositive Error = "ERR value is out of range, must be positive"
	errOffset      Error = "ERR offset is out of range"
	errMinMaxFloat Error = "ERR min or max is not a float"
	errMinMaxLex   Error = "ERR min or max not valid string range item"
	errNaN         Error = "ERR resulting score is not a number (NaN)"
	errOverflow    Error = "ERR increment or decrement would overflow"
	errCursor      Error = "ERR invalid cursor"
	errTooBig      Error = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	errTimeout     Error = "ERR timeout is not a float or out of range"
	errNegTimeout  Error = "ERR timeout is negative"
	ErrInternal    Error = "ERR internal error"
)

func errArity(name string) Error {
	return Error("ERR wrong number of arguments for '" + strings.ToLower(name) + "' command")
}

// ErrUnknown refuses a command that there is not.
func ErrUnknown(name string) Error {
	if len(name) > 128 {
		name = name[:128]
	}
	return Error("ERR Command is not available: '" + strings.ToUpper(name) + "'")
}

// ErrUnknownSub refuses a subcommand that there is not.
func ErrUnknownSub(name, sub string) Error {
	if len(sub) > 128 {
		sub = sub[:128]
	}
	return Error(fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", sub, strings.ToUpper(name)))
}

// ErrSubArgs is ErrUnknownSub for a subcommand with arguments that it does not take.
func ErrSubArgs(name, sub string) Error {
	return Error(fmt.Sprintf("ERR unknown subcommand or wrong number of arguments for '%.128s'. Try %s HELP.", sub, strings.ToUpper(name)))
}

func errExpire(name string) Error {
	return Error("ERR invalid expire time in '" + strings.ToLower(name) + "' command")
}

func errNoPerm(name string) Error {
	return Error("NOPERM this user has no permissions to run the '" + strings.ToLower(name) + "' command or its subcommand")
}

// ErrReplySize refuses a reply that is too large.
func ErrReplySize(limit, actual int) Error {
	return Error(fmt.Sprintf("ERR max request size exceeded. Limit: %d bytes, Actual: %d bytes", limit, actual))
}
