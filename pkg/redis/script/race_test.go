//go:build race

package script_test

// raceFactor is how much more is allocated under the race detector, which drops a part of what is put into a sync.Pool.
const raceFactor = 1.5
