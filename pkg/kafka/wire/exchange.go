package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

const (
	classProduce = meter.ClassProduce
	classFetch   = meter.ClassFetch
)

const (
	// requestTime bounds what a request may take, with all waiting.
	requestTime = time.Minute
	// joinTime is that of requests that wait for other members of a group.
	joinTime = time.Hour
)

// exchange is a request on its way to its answer.
type exchange struct {
	*conn
	frame *frame
	req   kmsg.Request

	access.Grant // zero before authentication

	search   kafka.Search
	messages int  // produced or read
	status   int  // as in HTTP, of the worst error
	blocked  bool // refused because of a limit
	silent   bool // there is no answer
	hangUp   bool // the connection ends behind the answer
	throttle time.Duration
}

// serve answers the request. An error closes the connection.
func (x *exchange) serve() error {
	api := x.frame.api
	var ctx context.Context
	if api.queued {
		timed, cancel := context.WithTimeout(x.Life, cmp.Or(api.wait, requestTime))
		defer cancel() // what has waited for others waits no more
		ctx = timed
	} else {
		ctx = x.within(requestTime)
	}
	ctx, use := x.s.meter.Begin(ctx)
	if !x.frame.isServed() { // of ApiVersions
		return x.send(appendAnswer(x.out[:0], x.frame.correlation, x.s.unservedVersion()))
	}
	if api.who != anybody {
		// Idle connections are looked at every checkEvery. Two of these are missed only if that fails.
		if g := x.grantWithin(2 * checkEvery); g != nil && api.beats {
			x.Grant = *g
		} else {
			var err error
			if x.Grant, err = x.authorize(ctx); err != nil {
				return fmt.Errorf("checking the credential again: %w", err)
			}
		}
	}
	resp, err := x.answer(ctx)
	var b []byte
	if err == nil && !x.silent {
		resp.SetVersion(x.frame.version)
		b = appendAnswer(x.out[:0], x.frame.correlation, resp)
	}
	// Before the answer: what was done counts, whether or not the client is still there to read it.
	if x.Cluster != nil {
		x.s.meter.Record(ctx, use, meter.Record{
			Resource: meter.Resource{Product: token.ProductKafka, ID: x.Cluster.ID},
			Class:    x.class(),
			Status:   max(http.StatusOK, x.status),
			Blocked:  x.blocked,
			Commands: int64(x.messages),
			BytesIn:  int64(len(x.frame.body)),
			BytesOut: int64(len(b)),
		})
	}
	if err != nil {
		return err
	}
	if !x.silent {
		if err := x.send(b); err != nil {
			return err
		}
	}
	if x.hangUp {
		return errHungUp
	}
	if x.throttle > 0 { // the client was told, and may not listen
		select {
		case <-time.After(x.throttle):
		case <-x.Life.Done():
		}
	}
	return nil
}

var errHungUp = errors.New("the connection is closed behind an answer")

func (x *exchange) class() string {
	if c := x.frame.api.class; c != "" {
		return c
	}
	return meter.ClassAdmin
}

// answer lets the handler answer, if the request may be made at all.
func (x *exchange) answer(ctx context.Context) (kmsg.Response, error) {
	if x.frame.api.who == producer && !x.mayProduceAnything() {
		return x.refuseAll(kerr.ClusterAuthorizationFailed), nil
	}
	return x.frame.api.serve(x, ctx)
}

// refuseAll is an answer with one error for everything.
func (x *exchange) refuseAll(e *kerr.Error) kmsg.Response {
	x.fail(http.StatusForbidden)
	resp := x.req.ResponseKind()
	switch r := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		r.ErrorCode, r.ProducerID = e.Code, -1
	}
	return resp
}

func (x *exchange) mayProduceAnything() bool {
	c := x.Claims
	return c.Scope == token.ReadWrite && c.Topics.Permission != token.PermitConsume
}

// fail notes the status of an error, for the meter.
func (x *exchange) fail(status int) { x.status = max(x.status, status) }

// kinds are the codes of what the engine refuses.
var kinds = map[kafka.ErrorKind]*kerr.Error{
	kafka.Invalid:           kerr.InvalidRequest,
	kafka.NotFound:          kerr.UnknownTopicOrPartition,
	kafka.Exists:            kerr.TopicAlreadyExists,
	kafka.TooLarge:          kerr.MessageTooLarge,
	kafka.OutOfRange:        kerr.OffsetOutOfRange,
	kafka.Corrupt:           kerr.CorruptMessage,
	kafka.OldFormat:         kerr.UnsupportedForMessageFormat,
	kafka.BadRecord:         kerr.InvalidRecord,
	kafka.BadTimestamp:      kerr.InvalidTimestamp,
	kafka.OutOfSequence:     kerr.OutOfOrderSequenceNumber,
	kafka.DuplicateSequence: kerr.DuplicateSequenceNumber,
	kafka.Fenced:            kerr.InvalidProducerEpoch,
}

// codeOf is the code of an error of the engine. What has failed for other reasons than the request's gets
// a code with which clients try again.
func (x *exchange) codeOf(err error, retry *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	var refused *kafka.Error
	if errors.As(err, &refused) {
		x.fail(http.StatusBadRequest)
		if e := kinds[refused.Kind]; e != nil {
			return e.Code
		}
		return kerr.InvalidRequest.Code
	}
	x.fail(http.StatusServiceUnavailable)
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrThrottled) {
		x.log.Warn("a request of Kafka's protocol has failed", "key", x.frame.key, "error", err)
	}
	return retry.Code
}

// textOf is what a client is told of an error besides the code; nil: nothing.
func textOf(err error) *string {
	var refused *kafka.Error
	if errors.As(err, &refused) {
		return &refused.Text
	}
	return nil
}
