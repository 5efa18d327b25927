// Package ingest is the port between the Kafka engine and the stream that
// producers write to before anything is stored in its place: one stream for all
// topics, durable, ordered for each key.
//
// # Guarantees
//
//   - A record whose error is nil is durable and will be delivered, at least once.
//   - Records of one key are delivered in the order in which they were accepted: if
//     one Put has returned before another began, its records come first. Records
//     of one Put have no order among themselves.
//   - A record whose Put failed may be delivered all the same, soon or not at all.
//   - Of records with different keys nothing is said.
//   - When a handler fails, what it was given is delivered again, before anything
//     later of the same keys.
//
// There are two implementations, pkg/kafka/ingest/kinesis (Amazon Kinesis Data
// Streams) and pkg/kafka/ingest/embedded (over pkg/store), and one conformance
// suite, pkg/kafka/ingest/ingesttest, that both pass.
package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

const (
	// MaxData bounds a record, in bytes. Kinesis takes 1 MiB with the key.
	MaxData = 1<<20 - MaxKey
	// MaxKey bounds a key, in bytes of UTF-8.
	MaxKey = 256
)

// Record is what a stream carries.
type Record struct {
	Key  string // not empty; valid UTF-8
	Data []byte
}

// Delivery is a record as it comes out of the stream.
type Delivery struct {
	Record
	Sequence string    // names the record; of one delivered twice it is the same
	Arrived  time.Time // when the stream accepted it, by the stream's clock, roughly
}

// Errors that callers tell apart. They arrive wrapped. Each is a kind of the store's error of the
// same name, so whoever answers a request needs to know only those.
var (
	// ErrTooLarge: a record is over MaxData, or its key over MaxKey. It was not accepted.
	ErrTooLarge = fmt.Errorf("ingest: record: %w", store.ErrTooLarge)
	// ErrThrottled: the stream's capacity was exceeded until the deadline. The record was not accepted.
	ErrThrottled = fmt.Errorf("ingest: %w", store.ErrThrottled)
	// ErrUnknownOutcome: the record may or may not have been accepted.
	ErrUnknownOutcome = fmt.Errorf("ingest: %w", store.ErrUnknownOutcome)
)

// Stream is the port. Implementations are safe for concurrent use.
type Stream interface {
	// Put appends records. The result has an error for each, or is nil if all were
	// accepted. What the stream does not accept is tried again until the context
	// ends; a record may then be delivered twice.
	Put(ctx context.Context, records []Record) []error

	// Tail hands over records of one key, or of others beside them, that have
	// arrived since a time and are perhaps not delivered yet, in order, up to the
	// stream's end at the time of the call or later. It may skip what has been delivered. The error is
	// ErrThrottled if the stream's reads are needed for those who Consume: it may be tried later.
	Tail(ctx context.Context, key string, since time.Time, handle func([]Delivery) error) error

	// Consume hands over all records until the context ends, and then returns nil.
	// Records of one key are handed over one batch after the other. What a
	// handler returns an error for is handed over again after a while.
	Consume(ctx context.Context, handle func(context.Context, []Delivery) error) error
}

// Check says whether a record is within the limits.
func (r Record) Check() error {
	if len(r.Data) > MaxData || len(r.Key) > MaxKey || r.Key == "" {
		return ErrTooLarge
	}
	return nil
}
