// Package metertest has what the tests of those who are metered need: a recorder, and a store that notes its calls.
package metertest

import (
	"context"
	"sync"

	"github.com/skystash/skystash/pkg/meter"
)

// Records is a meter.Recorder that keeps all records in memory. It is safe for concurrent use.
type Records struct {
	mu   sync.Mutex
	all  []meter.Record
	more chan struct{} // closed when there is another record; nil: nobody waits
}

// Record implements meter.Recorder.
func (rs *Records) Record(r meter.Record) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = append(rs.all, r)
	if rs.more != nil {
		close(rs.more)
		rs.more = nil
	}
}

// Take returns what has been recorded since it, or Wait, was called last.
func (rs *Records) Take() []meter.Record {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := rs.all
	rs.all = nil
	return all
}

// Wait is Take when there are n records, or when the context ends.
func (rs *Records) Wait(ctx context.Context, n int) []meter.Record {
	for {
		rs.mu.Lock()
		if len(rs.all) >= n {
			rs.mu.Unlock()
			return rs.Take()
		}
		if rs.more == nil {
			rs.more = make(chan struct{})
		}
		more := rs.more
		rs.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return rs.Take()
		}
	}
}
