package calls

import (
	"fmt"
	"sync"

	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// request is one that went to DynamoDB.
type request struct {
	op      string // "GetItem"
	items   int    // of a batch or a transaction; 0: op is about one item or range
	refused bool   // a condition was not met
	reads   float64
	writes  float64
}

// wire bills every request that goes to DynamoDB.
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

// see bills an exchange with DynamoDB.
func (w *wire) see(x dynamolocal.Exchange) error {
	req, err := bill(x.Op, x.Status, x.Request, x.Answer)
	if err != nil {
		return fmt.Errorf("billing: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, req)
	return nil
}
