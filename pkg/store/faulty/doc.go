// Package faulty is a store that fails on purpose, for tests of what is built on
// one: it wraps a real store and injects, with given probabilities, the failures
// that the port allows (see the package comment of store).
//
//	s := faulty.New(inner, faulty.Plan{Seed: 1, Throttle: 0.05, LostApplied: 0.05, LostUnapplied: 0.05})
//
// Calls made one after another fail the same way for the same seed.
package faulty
