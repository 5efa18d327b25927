package qstash

import "fmt"

// Kind says what is wrong with a request.
type Kind uint8

const (
	KindInvalid  Kind = iota + 1 // it can never succeed
	KindNotFound                 // what it names does not exist
	KindQuota                    // there are too many of them
	KindTooLarge                 // it is over a size limit
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
