package dynamo_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

func key(sort string) store.Key { return store.Key{Partition: "partition", Sort: sort} }

var increment = []store.Edit{store.Add("n", "n", 1)}

// counter reads the counter without faults.
func (r *rig) counter(sort string) int64 {
	r.Helper()
	r.script()
	as, err := r.store.Get(r.Context(), key(sort))
	if err != nil {
		r.Fatal(err)
	}
	return as.Get("n").Num()
}

func (r *rig) increment() error {
	_, err := r.store.Apply(r.Context(), store.Update(key("n"), nil, increment...))
	return err
}

func (r *rig) incrementTwo() error {
	return r.store.Commit(r.Context(), []store.Op{store.Update(key("n"), nil, increment...), store.Update(key("m"), nil, increment...)})
}

var (
	throttle    = answer(400, "ProvisionedThroughputExceededException", "slow down")
	throttle2   = answer(400, "ThrottlingException", "slow down")
	limit       = answer(400, "RequestLimitExceeded", "slow down")
	conflict    = answer(400, "TransactionConflictException", "conflict")
	internal    = answer(500, "InternalServerError", "internal")
	unavailable = answer(503, "ServiceUnavailable", "down")
	inProgress  = answer(400, "TransactionInProgressException", "in progress")
)

func TestPlainWriteIsRepeatedOnlyIfItWasNotCarriedOut(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		name    string
		fault   fault
		retried bool
		applied int64 // by the disturbed attempt
	}{
		{"throttled", throttle, true, 0},
		{"throttled, other code", throttle2, true, 0},
		{"account limit", limit, true, 0},
		{"too many requests", answer(429, "Whatever", "slow down"), true, 0},
		{"conflict", conflict, true, 0},
		{"global table conflict", answer(400, "ReplicatedWriteConflictException", "conflict"), true, 0},
		{"connection refused", refuseConnection, true, 0},
		{"dropped before", dropBefore, false, 0},
		{"dropped after", dropAfter, false, 1},
		{"answer cut", cutAnswer, false, 1},
		{"internal error, not carried out", internal, false, 0},
		{"internal error, carried out", failAfter, false, 1},
		{"service unavailable", unavailable, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := r.counter("n")
			r.script(tt.fault)
			err := r.increment()
			want := before + tt.applied
			if tt.retried {
				r.wantSent("UpdateItem", "UpdateItem")
				want++
				if err != nil {
					t.Errorf("error %v", err)
				}
			} else {
				r.wantSent("UpdateItem")
				if !errors.Is(err, store.ErrUnknownOutcome) {
					t.Errorf("error %v, want ErrUnknownOutcome", err)
				}
			}
			if n := r.counter("n"); n != want {
				t.Errorf("counter is %d, want %d", n, want)
			}
		})
	}
}

func TestEveryPlainWriteHasAnUnknownOutcomeIfItsAnswerIsLost(t *testing.T) {
	r := newRig(t)
	for name, op := range map[string]store.Op{
		"put":             store.Put(key("a"), store.Attrs{}, nil),
		"conditional put": store.Put(key("a"), store.Attrs{}, store.Absent("q")),
		"update":          store.Update(key("a"), nil, increment...),
		"delete":          store.Delete(key("a"), nil),
	} {
		for _, f := range []fault{dropBefore, dropAfter, internal} {
			r.script(f, f)
			if _, err := r.store.Apply(t.Context(), op); !errors.Is(err, store.ErrUnknownOutcome) {
				t.Errorf("%s: error %v", name, err)
			}
			r.script(f, f)
			if err := r.store.Commit(t.Context(), []store.Op{op}); !errors.Is(err, store.ErrUnknownOutcome) {
				t.Errorf("commit of one %s: error %v", name, err)
			}
			if len(r.wire.sent) != 1 {
				t.Errorf("%s: sent %v", name, r.wire.sent)
			}
		}
	}
}

func TestPlainWriteThatGoesOnFailing(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		name  string
		fault fault
		want  error
	}{
		{"throttled", throttle, store.ErrThrottled},
		{"conflict", conflict, store.ErrConflict},
		{"connection refused", refuseConnection, store.ErrUnavailable},
		{"no such table", answer(400, "ResourceNotFoundException", "no table"), store.ErrUnavailable},
		{"no permission", answer(400, "AccessDeniedException", "no"), store.ErrUnavailable},
		{"item too large", answer(400, "ValidationException", "Item size has exceeded the maximum allowed size"), store.ErrTooLarge},
		{"update too large", answer(400, "ValidationException", "Item size to update has exceeded the maximum allowed size"), store.ErrTooLarge},
		{"expression too large", answer(400, "ValidationException", "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size; expression size: 4106"), store.ErrTooLarge},
		{"collection too large", answer(400, "ItemCollectionSizeLimitExceededException", "10 GB"), store.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.script(repeat(tt.fault, dynamo.MaxAttempts)...)
			err := r.increment()
			if !errors.Is(err, tt.want) || errors.Is(err, store.ErrUnknownOutcome) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	if n := r.counter("n"); n != 0 {
		t.Errorf("counter is %d", n)
	}
}

func repeat(f fault, n int) []fault {
	list := make([]fault, n)
	for i := range list {
		list[i] = f
	}
	return list
}

func TestInvalidRequestIsNoneOfTheStoreErrors(t *testing.T) {
	r := newRig(t)
	r.script(answer(400, "ValidationException", "The provided expression refers to an attribute that does not exist in the item"))
	err := r.increment()
	for _, known := range []error{store.ErrConflict, store.ErrThrottled, store.ErrTooLarge, store.ErrUnavailable, store.ErrUnknownOutcome} {
		if err == nil || errors.Is(err, known) {
			t.Errorf("error %v is %v", err, known)
		}
	}
	r.wantSent("UpdateItem")
}

func TestReadIsRepeatedWhateverHappened(t *testing.T) {
	r := newRig(t)
	if err := r.increment(); err != nil {
		t.Fatal(err)
	}
	all := []fault{throttle, refuseConnection, dropBefore, dropAfter, cutAnswer, internal, failAfter, unavailable}
	for operation, read := range map[string]func() error{
		"GetItem": func() error {
			as, err := r.store.Get(t.Context(), key("n"))
			if err == nil && as.Get("n").Num() != 1 {
				t.Errorf("read %v", as)
			}
			return err
		},
		"BatchGetItem": func() error {
			_, err := r.store.GetMany(t.Context(), []store.Key{key("n"), key("m")}, false)
			return err
		},
		"TransactGetItems": func() error {
			_, err := r.store.GetMany(t.Context(), []store.Key{key("n"), key("m")}, true)
			return err
		},
		"Query": func() error {
			_, err := r.store.Query(t.Context(), store.Query{Partition: "partition"})
			return err
		},
	} {
		faults := all
		if operation == "TransactGetItems" {
			faults = append([]fault{canceled("None", "TransactionConflict"), canceled("ThrottlingError", "None"), canceled("ProvisionedThroughputExceeded", "None")}, all...)
		}
		r.script(faults...)
		if err := read(); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		for _, sent := range r.wire.sent {
			if sent != operation {
				t.Errorf("sent %s, want %s", sent, operation)
			}
		}
		if len(r.wire.sent) != len(faults)+1 {
			t.Errorf("%s: sent %d times, want %d", operation, len(r.wire.sent), len(faults)+1)
		}
		for f, want := range map[string]error{"throttled": store.ErrThrottled, "down": store.ErrUnavailable} {
			r.script(repeat(map[string]fault{"throttled": throttle, "down": unavailable}[f], dynamo.MaxAttempts)...)
			if err := read(); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v", operation, f, err)
			}
			if len(r.wire.sent) != dynamo.MaxAttempts {
				t.Errorf("%s, %s: sent %d times", operation, f, len(r.wire.sent))
			}
		}
	}
}

func TestTransactionIsRepeatedWithItsToken(t *testing.T) {
	r := newRig(t)
	want := int64(0)
	for _, tt := range []struct {
		name   string
		faults []fault
	}{
		{"throttled", []fault{throttle, throttle2, canceled("None", "ThrottlingError"), canceled("ProvisionedThroughputExceeded", "None")}},
		{"conflict", []fault{conflict, canceled("TransactionConflict", "None"), canceled("None", "TransactionConflict")}},
		{"network", []fault{refuseConnection, dropBefore, internal, unavailable, inProgress}},
		{"carried out, answer lost", []fault{dropAfter, throttle}},
		{"carried out, answer cut", []fault{cutAnswer, dropBefore}},
		{"carried out, internal error", []fault{failAfter, dropAfter, inProgress, conflict}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.script(tt.faults...)
			if err := r.incrementTwo(); err != nil {
				t.Errorf("error %v", err)
			}
			if len(r.wire.sent) != len(tt.faults)+1 {
				t.Errorf("sent %d times, want %d", len(r.wire.sent), len(tt.faults)+1)
			}
			for _, token := range r.wire.tokens {
				if token == "" || token != r.wire.tokens[0] {
					t.Errorf("tokens %q", r.wire.tokens)
				}
			}
			want++
			if n, m := r.counter("n"), r.counter("m"); n != want || m != want {
				t.Errorf("counters are %d and %d, want %d", n, m, want)
			}
		})
	}
}

func TestTransactionsHaveTokensOfTheirOwn(t *testing.T) {
	r := newRig(t)
	for range 2 {
		if err := r.incrementTwo(); err != nil {
			t.Fatal(err)
		}
	}
	if r.wire.tokens[0] == r.wire.tokens[1] || r.counter("n") != 2 {
		t.Errorf("tokens %q", r.wire.tokens)
	}
}

func TestTransactionThatGoesOnFailing(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		name   string
		faults []fault
		want   error
	}{
		{"throttled", repeat(throttle, dynamo.MaxAttempts), store.ErrThrottled},
		{"throttled by reason", repeat(canceled("None", "ThrottlingError"), dynamo.MaxAttempts), store.ErrThrottled},
		{"conflict", repeat(canceled("TransactionConflict", "None"), dynamo.MaxAttempts), store.ErrConflict},
		{"conflict and throttled", repeat(canceled("TransactionConflict", "ThrottlingError"), dynamo.MaxAttempts), store.ErrConflict},
		{"connection refused", repeat(refuseConnection, dynamo.MaxAttempts), store.ErrUnavailable},
		{"dropped", repeat(dropBefore, dynamo.MaxAttempts), store.ErrUnknownOutcome},
		{"dropped once, then throttled", append([]fault{dropBefore}, repeat(throttle, dynamo.MaxAttempts)...), store.ErrUnknownOutcome},
		{"dropped once, then refused", []fault{dropBefore, answer(400, "AccessDeniedException", "no")}, store.ErrUnknownOutcome},
		{"refused", []fault{answer(400, "AccessDeniedException", "no")}, store.ErrUnavailable},
		{"too large", []fault{canceledForSize}, store.ErrTooLarge},
		{"too large together", []fault{answer(400, "ValidationException", "Transaction payload size cannot exceed 4MB.")}, store.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.script(tt.faults...)
			err := r.incrementTwo()
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if tt.want != store.ErrUnknownOutcome && errors.Is(err, store.ErrUnknownOutcome) {
				t.Errorf("outcome unknown: %v", err)
			}
		})
	}
	if n := r.counter("n"); n != 0 {
		t.Errorf("counter is %d", n)
	}
}

// Whoever decides anew after a conflict does not want the same transaction to be repeated.
func TestConflictIsNotRepeatedForWhoReadsAnew(t *testing.T) {
	r := newRig(t)
	for name, tt := range map[string]struct {
		faults []fault
		sent   int
	}{
		"conflict": {[]fault{canceled("TransactionConflict", "None")}, 1}, "by itself": {[]fault{conflict}, 1},
		"after being throttled": {[]fault{throttle, conflict}, 2}, "throttled alone": {[]fault{throttle}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.counter("n")
			r.script(tt.faults...)
			err := r.store.Commit(store.NoRepeat(t.Context()), []store.Op{store.Update(key("n"), nil, increment...), store.Update(key("m"), nil, increment...)})
			done := name == "throttled alone"
			if len(r.wire.sent) != tt.sent || (err == nil) != done || err != nil && !errors.Is(err, store.ErrConflict) {
				t.Errorf("sent %d times: %v", len(r.wire.sent), err)
			}
			if got := r.counter("n"); (got == before+1) != done {
				t.Errorf("the counter is %d, was %d", got, before)
			}
		})
	}
}

var canceledForSize = answer(400, "TransactionCanceledException", "Transaction cancelled",
	`,"CancellationReasons":[{"Code":"None"},{"Code":"ValidationError","Message":"Item size to update has exceeded the maximum allowed size"}]`)

func TestFailedConditionBesideAConflictIsCertain(t *testing.T) {
	r := newRig(t)
	r.script(answer(400, "TransactionCanceledException", "Transaction cancelled",
		`,"CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"ConditionalCheckFailed","Item":{"p":{"B":"cA=="},"s":{"B":"cw=="},"n":{"N":"5"}}}]`))
	err := r.incrementTwo()
	var failed *store.ConditionError
	if !errors.As(err, &failed) || failed.Index != 1 || failed.Old.Get("n").Num() != 5 || len(failed.Old) != 1 {
		t.Errorf("error %v, %+v", err, failed)
	}
	r.wantSent("TransactWriteItems")
}

func TestFailedConditionAfterALostAnswer(t *testing.T) {
	r := newRig(t)
	if err := r.increment(); err != nil {
		t.Fatal(err)
	}
	r.script(dropBefore)
	err := r.store.Commit(t.Context(), []store.Op{
		store.Update(key("m"), nil, increment...), store.Update(key("n"), store.Absent("n"), increment...),
	})
	var failed *store.ConditionError
	if !errors.As(err, &failed) || failed.Index != 1 || failed.Old.Get("n").Num() != 1 {
		t.Errorf("error %v", err)
	}
	r.wantSent("TransactWriteItems", "TransactWriteItems")
}

func TestLoadIsRepeatedWhateverHappened(t *testing.T) {
	r := newRig(t)
	r.script(throttle, refuseConnection, dropBefore, dropAfter, internal, failAfter)
	err := r.store.Load(t.Context(), []store.Item{{Key: key("n"), Attrs: store.NewAttrs(store.Attr{Name: "n", Value: store.Int(3)})}}, nil)
	if err != nil || len(r.wire.sent) != 7 {
		t.Errorf("error %v, sent %v", err, r.wire.sent)
	}
	if n := r.counter("n"); n != 3 {
		t.Errorf("counter is %d", n)
	}
}

func TestEveryAttemptCountsAsACall(t *testing.T) {
	r := newRig(t)
	r.script(throttle, conflict)
	var meter store.Meter
	_, err := r.store.Apply(store.WithMeter(t.Context(), &meter), store.Update(key("n"), nil, increment...))
	if u := meter.Total(); err != nil || u != (store.Usage{Calls: 3, WriteUnits: 1}) {
		t.Errorf("usage %+v, error %v", u, err)
	}
	if r.pauses.Load() != 2 {
		t.Errorf("%d pauses", r.pauses.Load())
	}
}

func TestCancellationOnTheWay(t *testing.T) {
	r := newRig(t)
	for name, tt := range map[string]struct {
		call func(ctx context.Context) error
		want error
	}{
		"a plain write": {func(ctx context.Context) error {
			_, err := r.store.Apply(ctx, store.Update(key("n"), nil, increment...))
			return err
		}, store.ErrUnknownOutcome},
		"a transaction": {func(ctx context.Context) error {
			return r.store.Commit(ctx, []store.Op{store.Update(key("n"), nil, increment...), store.Update(key("m"), nil, increment...)})
		}, store.ErrUnknownOutcome},
		"a read": {func(ctx context.Context) error {
			_, err := r.store.Get(ctx, key("n"))
			return err
		}, store.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r.script(func(req *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
				cancel()
				return nil, context.Cause(req.Context())
			})
			err := tt.call(ctx)
			if !errors.Is(err, tt.want) || !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if len(r.wire.sent) != 1 {
				t.Errorf("sent %v", r.wire.sent)
			}
		})
	}
}

func TestSnapshotTooLargeForOneCallIsReadTwice(t *testing.T) {
	r := newRig(t)
	if err := r.incrementTwo(); err != nil {
		t.Fatal(err)
	}
	changes := 0
	change := func(_ *http.Request, forward func() (*http.Response, error)) (*http.Response, error) {
		resp, err := forward()
		changes++
		if err == nil {
			// Somebody writes after each of the first reads.
			direct := dynamo.New(dynamolocal.Client(t), r.table)
			_, err = direct.Apply(t.Context(), store.Update(key("n"), nil, increment...))
		}
		return resp, err
	}
	keys := []store.Key{key("n"), key("m")}
	for _, tooLarge := range []fault{
		answer(400, "ValidationException", "Payload in response is too large."),
		answer(400, "TransactionCanceledException", "Transaction cancelled", `,"CancellationReasons":[{"Code":"ValidationError","Message":"Aggregate size is too large"},{"Code":"None"}]`),
	} {
		r.script(tooLarge, change, change)
		found, err := r.store.GetMany(t.Context(), keys, true)
		if err != nil || found[0].Get("n").Num() != int64(1+changes) || found[1].Get("n").Num() != 1 {
			t.Errorf("%v, error %v", found, err)
		}
		r.wantSent("TransactGetItems", "BatchGetItem", "BatchGetItem", "BatchGetItem", "BatchGetItem")
	}
	r.script(append([]fault{answer(400, "ValidationException", "Payload in response is too large.")}, repeat(change, 100)...)...)
	if _, err := r.store.GetMany(t.Context(), keys, true); !errors.Is(err, store.ErrConflict) {
		t.Errorf("items that never rest: %v", err)
	}
}
