package dynamo

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/pkg/awsbody"
	"github.com/skystash/skystash/pkg/store"
)

// Names of the key attributes.
const (
	partitionAttr = "p"
	sortAttr      = "s"
)

// noAttr is never an attribute's name. Removing it is how a transaction updates
// an item without changing it: an empty update is allowed only outside.
const noAttr = "-"

// Settings of the connections. DynamoDB speaks HTTP/1.1, so that every call in
// flight holds one.
const (
	idleConns = 256
	// Old connections may have been closed by the other side without notice,
	// for example while a function was frozen. A write that meets one of them
	// has an unknown outcome, so they are not kept long.
	idleTimeout = 30 * time.Second
	// A call that gets no answer for this long has failed; a page of 1 MB takes
	// a fraction of a second.
	answerTimeout = 10 * time.Second
)

// Store is a store.Store over one table. It is safe for concurrent use.
type Store struct {
	client *dynamodb.Client
	table  string
	conns  *http.Client // owned; nil if the caller brought its own

	pause func(ctx context.Context, d time.Duration) bool // see wait
}

var _ store.Store = (*Store)(nil)

// NewClient makes a client for New. All stores over it share its connections: a process that opens
// several tables needs one TLS handshake. endpoint replaces DynamoDB's own; "": it does not.
func NewClient(cfg aws.Config, endpoint string) *dynamodb.Client {
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
		if b, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = b.WithTransportOptions(tune).Freeze()
		}
	})
}

// New makes a store over a table that [CreateTable] or an equal template has
// created. It uses the client's configuration except for its retryer and,
// unless the client has an HTTP client of its own, its connections.
func New(client *dynamodb.Client, table string) *Store {
	s := &Store{table: table, pause: wait}
	s.client = dynamodb.New(client.Options(), func(o *dynamodb.Options) {
		o.Retryer = aws.NopRetryer{}
		o.APIOptions = append(o.APIOptions, awsbody.Plain)
		if b, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			s.conns, _ = b.WithTransportOptions(tune).Freeze().(*http.Client)
			if s.conns != nil {
				o.HTTPClient = s.conns
			}
		}
	})
	return s
}

func tune(t *http.Transport) {
	t.MaxIdleConns = idleConns
	t.MaxIdleConnsPerHost = idleConns
	t.IdleConnTimeout = idleTimeout
	t.ResponseHeaderTimeout = answerTimeout
	if t.TLSClientConfig != nil { // else Go's defaults
		t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
}

// Close gives up idle connections.
func (s *Store) Close() error {
	if s.conns != nil {
		s.conns.CloseIdleConnections()
	}
	return nil
}

// wait sleeps for d; false, at once, if the context's deadline is before that.
func wait(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

const (
	firstPause  = 10 * time.Millisecond
	longest     = 500 * time.Millisecond
	maxAttempts = 40 // about ten seconds, for contexts without a deadline
)

// backOff waits before the next attempt, the first of which has number 0. It
// reports false if there should be none.
func (s *Store) backOff(ctx context.Context, attempt int) bool {
	if attempt+1 >= maxAttempts {
		return false
	}
	ceiling := min(longest, firstPause<<min(attempt, 10))
	return s.pause(ctx, rand.N(ceiling))
}

// safety says when a request may be sent again.
type safety uint8

const (
	harmless safety = iota // always: reads, and writes that do the same again
	tokened                // always, as it carries a request token: it happens once
	delicate               // only if it is certain that it was not carried out
)

// do sends a request until it is answered, repeating it as is safe. It returns
// nil, one of the package store's errors, or, if DynamoDB has refused the
// request for a reason that the caller may know better, DynamoDB's error.
func (s *Store) do(ctx context.Context, what string, mode safety, send func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dynamo: %s: %w: %w", what, store.ErrUnavailable, err)
	}
	inDoubt := false // an earlier attempt may have been, or may yet be, carried out
	for attempt := 0; ; attempt++ {
		err := send(ctx)
		store.Record(ctx, store.Usage{Calls: 1})
		if err == nil {
			return nil
		}
		res := classify(err)
		switch {
		case res == refused && isVerdict(err):
			return err
		case res == refused && !inDoubt:
			return refusal(what, err)
		}
		inDoubt = inDoubt || res == unclear && mode != harmless
		last := res == refused || res == unclear && mode == delicate || res == contended && store.IsNoRepeat(ctx)
		if last || !s.backOff(ctx, attempt) {
			return fmt.Errorf("dynamo: %s: %w: %w", what, sentinel(res, inDoubt), err)
		}
	}
}

func sentinel(res result, inDoubt bool) error {
	switch {
	case inDoubt:
		return store.ErrUnknownOutcome
	case res == throttled:
		return store.ErrThrottled
	case res == contended:
		return store.ErrConflict
	}
	return store.ErrUnavailable
}
