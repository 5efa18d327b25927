package store

import "context"

type noRepeatKey struct{}

// NoRepeat returns a context under which a write that meets a transaction fails with ErrConflict at once. A store
// repeats it otherwise, as it was. It is for attempts of a Retry whose next attempt reads anew what it decides by:
// a hundred callers who replace one item then find that it was replaced, instead of paying for a transaction that
// cannot succeed a dozen times.
func NoRepeat(ctx context.Context) context.Context {
	return context.WithValue(ctx, noRepeatKey{}, true)
}

// IsNoRepeat reports whether the context was made by NoRepeat. Implementations ask it.
func IsNoRepeat(ctx context.Context) bool { return ctx.Value(noRepeatKey{}) != nil }
