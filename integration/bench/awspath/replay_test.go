package awspath

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// replay is the way to DynamoDB. It goes there and remembers the last answer to each operation until it is told to
// give these answers itself, at once.
type replay struct {
	client *dynamodb.Client // goes this way

	mu      sync.Mutex
	answers map[string]recorded // by operation
	bodies  map[string][]byte   // of the last request, by operation
	calls   map[string]int
	alone   bool
}

type recorded struct {
	header http.Header
	body   string
}

func newReplay() *replay {
	return &replay{answers: map[string]recorded{}, bodies: map[string][]byte{}, calls: map[string]int{}}
}

// RoundTrip implements [http.RoundTripper].
func (r *replay) RoundTrip(req *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	if r.alone {
		return r.answer(req, operation)
	}
	sent, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(sent))
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[operation], r.bodies[operation] = recorded{res.Header, string(body)}, sent
	r.calls[operation]++
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// answer takes as little as it can: what is measured is the way to it.
func (r *replay) answer(req *http.Request, operation string) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.answers[operation]
	if !ok {
		return nil, fmt.Errorf("nobody has recorded an answer to %s", operation)
	}
	r.calls[operation]++
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: a.header,
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

// take returns how often each operation was called since, and the last request of each.
func (r *replay) take() (calls map[string]int, bodies map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls, bodies = r.calls, r.bodies
	r.calls, r.bodies = map[string]int{}, map[string][]byte{}
	return calls, bodies
}

// stopAsking makes it answer by itself.
func (r *replay) stopAsking() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alone = true
}
