// Package kinesis implements the port pkg/kafka/ingest on Amazon Kinesis Data
// Streams.
//
// A record's key is its partition key, so that records of one key are in one
// shard at a time and delivered in the order of their sequence numbers.
//
// # Resharding
//
// When a shard is split or merged, it is closed: what it holds comes before
// anything that its children get, for every key. Whoever reads has to finish a
// shard before its children. Lambda's event source mapping does, and so do
// [Stream.Consume] and [Stream.Tail].
//
// # Retries
//
// The client's own retries are switched off. PutRecords may accept some records
// and refuse others; those refused are sent again, with jitter, until the context
// ends, and so is a request whose answer was lost: records may come twice.
//
// Consume is for tests and for programs that have no event source mapping: it
// keeps no position, and begins with the oldest record that the stream holds.
//
// Sources: the pages "PutRecords", "GetShardIterator", "ListShards", "Resharding a
// stream" and "Quotas and limits" of the Kinesis Data Streams documentation.
package kinesis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/skystash/skystash/pkg/awsbody"
	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/kafka/ingest"
)

// Limits of PutRecords. A request may have more bytes, but it is sent again as a whole if
// its answer is lost.
const (
	maxRecords = 500
	maxBytes   = 4 << 20
)

const (
	attemptTimeout = 3 * time.Second // of one request
	firstPause     = 20 * time.Millisecond
	longestPause   = time.Second
)

// DefaultPollEvery is the pause between two reads of a shard's end; a shard takes
// five reads a second, of all who read it.
const DefaultPollEvery = time.Second

// Options are settings of a stream; the zero value is good.
type Options struct {
	PollEvery time.Duration    // of Consume; 0: DefaultPollEvery
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger     // nil: slog.Default
}

// Stream is a stream of Kinesis. It is safe for concurrent use.
type Stream struct {
	client    *kinesis.Client
	name      string
	pollEvery time.Duration
	now       func() time.Time
	log       *slog.Logger
	budget    budget

	mu     sync.Mutex
	shards []shard // as last listed
	listed fresh.Time
}

var _ ingest.Stream = (*Stream)(nil)

// New makes a stream of the one with that name, which must exist.
func New(client *kinesis.Client, name string, o Options) *Stream {
	s := &Stream{name: name, pollEvery: o.PollEvery, now: o.Now, log: o.Logger}
	s.client = kinesis.New(client.Options(), func(o *kinesis.Options) {
		o.Retryer = aws.NopRetryer{}
		o.APIOptions = append(o.APIOptions, awsbody.Plain)
	})
	if s.pollEvery == 0 {
		s.pollEvery = DefaultPollEvery
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// outgoing is a record on its way.
type outgoing struct {
	index   int // in the caller's list
	entry   types.PutRecordsRequestEntry
	unknown bool  // an attempt may have succeeded
	err     error // of the last attempt
}

func (o *outgoing) size() int { return len(o.entry.Data) + len(*o.entry.PartitionKey) }

// Put implements ingest.Stream.
func (s *Stream) Put(ctx context.Context, records []ingest.Record) []error {
	var errs []error
	fail := func(i int, err error) {
		if errs == nil {
			errs = make([]error, len(records))
		}
		errs[i] = err
	}
	var waiting []*outgoing
	for i, r := range records {
		if err := r.Check(); err != nil {
			fail(i, fmt.Errorf("kinesis: put of %d bytes: %w", len(r.Data), err))
			continue
		}
		waiting = append(waiting, &outgoing{index: i, entry: types.PutRecordsRequestEntry{Data: r.Data, PartitionKey: &r.Key}})
	}
	for attempt := 0; len(waiting) > 0; attempt++ {
		if attempt > 0 && !pause(ctx, attempt) {
			break
		}
		waiting = s.round(ctx, waiting)
	}
	for _, o := range waiting {
		kind := ingest.ErrThrottled
		if o.unknown {
			kind = ingest.ErrUnknownOutcome
		}
		fail(o.index, fmt.Errorf("kinesis: put of %d bytes: %w: %w", len(o.entry.Data), kind, o.err))
	}
	return errs
}

// round sends records once, in as many requests as they need, and returns those not accepted.
func (s *Stream) round(ctx context.Context, waiting []*outgoing) (left []*outgoing) {
	for len(waiting) > 0 {
		n, size := 0, 0
		for n < len(waiting) && n < maxRecords && (n == 0 || size+waiting[n].size() <= maxBytes) {
			size += waiting[n].size()
			n++
		}
		left = append(left, s.send(ctx, waiting[:n])...)
		waiting = waiting[n:]
	}
	return left
}

func (s *Stream) send(ctx context.Context, part []*outgoing) (left []*outgoing) {
	in := &kinesis.PutRecordsInput{StreamName: &s.name}
	for _, o := range part {
		in.Records = append(in.Records, o.entry)
	}
	if err := ctx.Err(); err != nil { // too late to send anything
		for _, o := range part {
			o.err = err
		}
		return part
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	out, err := s.client.PutRecords(ctx, in)
	if err != nil {
		for _, o := range part {
			o.err, o.unknown = err, o.unknown || mayHaveArrived(err)
		}
		return part
	}
	for i, o := range part {
		if i >= len(out.Records) {
			o.err, o.unknown = errors.New("the answer lacks it"), true
			left = append(left, o)
			continue
		}
		if code := aws.ToString(out.Records[i].ErrorCode); code != "" {
			o.err = fmt.Errorf("%s: %s", code, aws.ToString(out.Records[i].ErrorMessage))
			o.unknown = o.unknown || !isThrottle(code)
			left = append(left, o)
		}
	}
	return left
}

// mayHaveArrived reports whether a request that failed may have been carried out.
func mayHaveArrived(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorFault() != smithy.FaultClient && !isThrottle(api.ErrorCode())
	}
	var dial *net.OpError
	return !errors.As(err, &dial) || dial.Op != "dial"
}

func isThrottle(code string) bool {
	return strings.Contains(code, "ThroughputExceeded") || strings.Contains(code, "Throttl") || code == "LimitExceededException"
}

// pause waits before an attempt, with full jitter. It reports false if the context ends before.
func pause(ctx context.Context, attempt int) bool {
	d := rand.N(min(longestPause, firstPause<<min(attempt, 10)))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
