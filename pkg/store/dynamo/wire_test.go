package dynamo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
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
	pauses atomic.Int32
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
