// Package refusal is the error that clients read, on the floor below all that refuses: package resp writes it, and what has no
// business with replies returns it.
package refusal

// Error is a Redis error reply: its code and text, e.g. "ERR syntax error".
type Error string

func (e Error) Error() string { return string(e) }
