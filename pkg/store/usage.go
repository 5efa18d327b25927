package store

import (
	"context"
	"sync"
)

// Usage is what calls on a store cost.
type Usage struct {
	Calls      int     // requests made to the database, retries included
	ReadUnits  float64 // request units as DynamoDB bills them
	WriteUnits float64
}

// Meter adds up the usage of all calls made under a context.
type Meter struct {
	mu    sync.Mutex
	total Usage
}

type meterKey struct{}

// WithMeter makes every store call under the returned context add to m.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// Metering is WithMeter with a new meter, in one allocation.
func Metering(ctx context.Context) (context.Context, *Meter) {
	m := &meteringContext{Context: ctx}
	return m, &m.meter
}

type meteringContext struct {
	context.Context
	meter Meter
}

func (m *meteringContext) Value(key any) any {
	if key == (meterKey{}) {
		return &m.meter
	}
	return m.Context.Value(key)
}

// Metered reports whether the context has a meter; without one, what a call
// cost need not even be computed.
func Metered(ctx context.Context) bool {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	return m != nil
}

// Record adds to the context's meter, if it has one. Implementations call it.
func Record(ctx context.Context, u Usage) {
	m, _ := ctx.Value(meterKey{}).(*Meter)
	if m == nil {
		return
	}
	m.mu.Lock()
	m.total.Calls += u.Calls
	m.total.ReadUnits += u.ReadUnits
	m.total.WriteUnits += u.WriteUnits
	m.mu.Unlock()
}

// Total is the usage so far.
func (m *Meter) Total() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}
