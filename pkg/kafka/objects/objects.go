// Package objects is the port between the Kafka engine and what keeps the data of large segments: a
// store of objects, which are written once and read as often as anybody likes. A gigabyte costs a tenth
// there of what it costs in a database, and a megabyte is written for the price of one request.
//
// # Guarantees
//
//   - An object whose Put has returned nil is durable, and Get and List have it at once.
//   - A Put that failed may have taken place.
//   - A name is written once. Whoever writes one again writes the same bytes.
//   - List goes by the names' bytes.
//
// There are two implementations, pkg/kafka/objects/s3 (Amazon S3) and pkg/kafka/objects/embedded (over
// pkg/store), and one conformance suite, pkg/kafka/objects/objectstest, that both pass.
package objects

import (
	"context"
	"errors"
)

const (
	// MaxData bounds an object, in bytes.
	MaxData = 64 << 20
	// MaxName bounds a name, in bytes.
	MaxName = 512
	// PageSize is the number of names that List returns at most.
	PageSize = 1000
)

// ErrNotFound: there is no object with that name. It arrives wrapped. Other errors are those of
// package store: ErrThrottled, ErrUnavailable, ErrTooLarge.
var ErrNotFound = errors.New("objects: no such object")

// Store is the port. Implementations are safe for concurrent use.
type Store interface {
	// Put writes an object.
	Put(ctx context.Context, name string, data []byte) error
	// Get reads length bytes of an object from an offset on. The object has them.
	Get(ctx context.Context, name string, offset, length int64) ([]byte, error)
	// Delete removes objects. It is no error if there are none with the names.
	Delete(ctx context.Context, names []string) error
	// List returns names with a prefix that come after another, in order, at most PageSize; fewer
	// are all that there are.
	List(ctx context.Context, prefix, after string) (names []string, err error)
}

// ValidName reports whether objects can have the name: letters, digits, '/', '-', '_' and '.', which
// need no escapes anywhere.
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '/' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return name != "" && len(name) <= MaxName
}
