package calls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// request is one that went to DynamoDB.
type request struct {
	op      string // "GetItem"
	items   int    // of a batch or a transaction; 0: op is about one item or range
	refused bool   // a condition was not met
	reads   float64
	writes  float64
}

// wire is a transport that bills every request it carries.
type wire struct {
	mu       sync.Mutex
	requests []request
}

// take returns the requests since the last time.
func (w *wire) take() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.requests
	w.requests = nil
	return out
}

// RoundTrip sends a request, making DynamoDB Local report what it consumes.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	_, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		return nil, fmt.Errorf("a request without a target: %s", r.Header)
	}
	var in map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, fmt.Errorf("request %s: %w", op, err)
	}
	in["ReturnConsumedCapacity"] = json.RawMessage(`"TOTAL"`)
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))

	req, err := bill(op, resp.StatusCode, body, answer)
	if err != nil {
		return nil, fmt.Errorf("billing a request %s: %w", op, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, req)
	return resp, nil
}
