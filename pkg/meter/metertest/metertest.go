// Package metertest has a recorder for the tests of those who are metered.
package metertest

import (
	"slices"
	"sync"

	"github.com/skystash/skystash/pkg/meter"
)

// Records is a meter.Recorder that keeps what it is told. It is safe for concurrent use.
type Records struct {
	mu  sync.Mutex
	all []meter.Record
}

// Record implements meter.Recorder.
func (rs *Records) Record(r meter.Record) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = append(rs.all, r)
}

// Take returns what has been recorded since it was called last.
func (rs *Records) Take() []meter.Record {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := slices.Clone(rs.all)
	rs.all = nil
	return all
}
