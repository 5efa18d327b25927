package dynamo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/store/dynamo/dynamolocal"
)

// wire is a network that loses and garbles requests by script: each request
// takes the next fault, and goes through untouched when there are none left.
type wire struct {
	mu     sync.Mutex
	faults []fault
	sent   []string // the operations that were attempted
	tokens []string // their request tokens, "" if none
}

// fault treats a request; forward sends it.
type fault func(r *http.Request, forward func() (*http.Response, error)) (*http.Response, error)

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct{ ClientRequestToken string }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")

	w.mu.Lock()
	w.sent, w.tokens = append(w.sent, operation), append(w.tokens, in.ClientRequestToken)
	var f fault
	if len(w.faults) > 0 {
		f, w.faults = w.faults[0], w.faults[1:]
	}
	w.mu.Unlock()

	forward := func() (*http.Response, error) { return http.DefaultTransport.RoundTrip(r) }
	if f == nil {
		return forward()
	}
	return f(r, forward)
}

// answer is a fault: the request is not carried out but answered so.
func answer(status int, code, message string, more ...string) fault {
	return func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		body := fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":%q%s}`, code, message, strings.Join(more, ""))
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
}

// reasons is the rest of an answer that cancels a transaction.
func reasons(codes ...string) string {
	s := `,"CancellationReasons":[`
	for i, c := range codes {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprintf(`{"Code":%q,"Message":"because"}`, c)
	}
	return s + "]"
}

func canceled(codes ...string) fault {
	return answer(400, "TransactionCanceledException", "Transaction cancelled", reasons(codes...))
}

// Faults of the network.
func refuseConnection(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

func dropBefore(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
	return nil, &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
}

func dropAfter(_ *http.Request, forward func() (*http.Response, error)) (*http.Response, error) {
	resp, err := forward()
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// cutAnswer loses the second half of the answer.
func cutAnswer(_ *http.Request, forward func() (*http.Response, error)) (*http.Response, error) {
	resp, err := forward()
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{}))
	return resp, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func failAfter(r *http.Request, forward func() (*http.Response, error)) (*http.Response, error) {
	resp, err := forward()
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return answer(500, "InternalServerError", "internal")(r, nil)
}

// rig is a store on a faulty wire.
type rig struct {
	*testing.T
	wire   *wire
	table  string
	store  *dynamo.Store
	pauses int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, wire: &wire{}, table: dynamolocal.Table(t, dynamolocal.Client(t))}
	r.store = dynamo.New(dynamolocal.Client(t, dynamolocal.WithTransport(r.wire)), r.table)
	r.store.NoPauses(&r.pauses)
	return r
}

// script starts a new script and forgets what was sent.
func (r *rig) script(faults ...fault) {
	r.wire.mu.Lock()
	defer r.wire.mu.Unlock()
	r.wire.faults, r.wire.sent, r.wire.tokens = faults, nil, nil
}

func (r *rig) wantSent(want ...string) {
	r.Helper()
	if got := fmt.Sprint(r.wire.sent); got != fmt.Sprint(want) {
		r.Errorf("sent %s, want %s", got, fmt.Sprint(want))
	}
}

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

// leave is a fault that answers that everything, or all but the first, was not processed.
func leave(field string, keepFirst bool) fault {
	return func(r *http.Request, forward func() (*http.Response, error)) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		var in struct{ RequestItems map[string]json.RawMessage }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		rest := map[string]json.RawMessage{}
		for table, raw := range in.RequestItems {
			first, others, err := split(raw, keepFirst)
			if err != nil {
				return nil, err
			}
			in.RequestItems[table], rest[table] = first, others
		}
		out := map[string]any{}
		if keepFirst {
			sub, err := json.Marshal(in)
			if err != nil {
				return nil, err
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(sub)), int64(len(sub))
			resp, err := forward()
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
				return nil, err
			}
		}
		out[field] = rest
		answer, err := json.Marshal(out)
		return &http.Response{
			StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
			Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)),
		}, err
	}
}

// split takes the first key, or write, off the part of a batch for one table.
func split(raw json.RawMessage, off bool) (first, others json.RawMessage, err error) {
	if !off {
		return nil, raw, nil
	}
	var writes []json.RawMessage
	if json.Unmarshal(raw, &writes) == nil {
		first, err = json.Marshal(writes[:1])
		if err != nil {
			return nil, nil, err
		}
		others, err = json.Marshal(writes[1:])
		return first, others, err
	}
	var gets struct {
		Keys           []json.RawMessage
		ConsistentRead bool
	}
	if err := json.Unmarshal(raw, &gets); err != nil {
		return nil, nil, err
	}
	all := gets.Keys
	gets.Keys = all[:1]
	if first, err = json.Marshal(gets); err != nil {
		return nil, nil, err
	}
	gets.Keys = all[1:]
	others, err = json.Marshal(gets)
	return first, others, err
}

func TestUnprocessedKeysAreAskedForAgain(t *testing.T) {
	r := newRig(t)
	var keys []store.Key
	for i := range 5 {
		keys = append(keys, key(fmt.Sprint(i)))
		if _, err := r.store.Apply(t.Context(), store.Put(keys[i], store.NewAttrs(store.Attr{Name: "n", Value: store.Int(int64(i))}), nil)); err != nil {
			t.Fatal(err)
		}
	}
	r.script(leave("UnprocessedKeys", false), leave("UnprocessedKeys", true), leave("UnprocessedKeys", true), throttle)
	var meter store.Meter
	found, err := r.store.GetMany(store.WithMeter(t.Context(), &meter), keys, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, as := range found {
		if as.Get("n").Num() != int64(i) || as == nil {
			t.Errorf("entry %d is %v", i, as)
		}
	}
	if u := meter.Total(); u != (store.Usage{Calls: 5, ReadUnits: 5}) {
		t.Errorf("usage %+v", u)
	}
	r.script(repeat(leave("UnprocessedKeys", false), dynamo.MaxAttempts)...)
	if _, err := r.store.GetMany(t.Context(), keys, false); !errors.Is(err, store.ErrThrottled) {
		t.Errorf("never processed: %v", err)
	}
}

func TestUnprocessedWritesAreSentAgain(t *testing.T) {
	r := newRig(t)
	var puts []store.Item
	for i := range 30 {
		puts = append(puts, store.Item{Key: key(fmt.Sprint(i)), Attrs: store.Attrs{}})
	}
	r.script(leave("UnprocessedItems", false), leave("UnprocessedItems", true), leave("UnprocessedItems", true), throttle)
	if err := r.store.Load(t.Context(), puts, nil); err != nil {
		t.Fatal(err)
	}
	r.script()
	p, err := r.store.Query(t.Context(), store.Query{Partition: "partition"})
	if err != nil || p.Count != 30 {
		t.Errorf("%d items, error %v", p.Count, err)
	}
	r.script(repeat(leave("UnprocessedItems", false), 2*dynamo.MaxAttempts)...)
	if err := r.store.Load(t.Context(), puts, nil); !errors.Is(err, store.ErrThrottled) {
		t.Errorf("never processed: %v", err)
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
	if r.pauses != 2 {
		t.Errorf("%d pauses", r.pauses)
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
