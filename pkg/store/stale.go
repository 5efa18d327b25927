package store

import "context"

type staleKey struct{}

// Stale returns a context under which Get, and GetMany without a snapshot, may return items as they
// were a moment ago, usually less than a second. Such a read costs half. It is for whoever looks
// again and again whether something has happened, and reads properly once it has.
func Stale(ctx context.Context) context.Context { return context.WithValue(ctx, staleKey{}, true) }

// IsStale reports whether the context was made by Stale. Implementations ask it.
func IsStale(ctx context.Context) bool { return ctx.Value(staleKey{}) != nil }
