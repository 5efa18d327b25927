// Package replicated is a store with an asynchronous copy, as a table of DynamoDB has in another region
// when it is a global table: for tests of what is built on that, and for trying it out locally.
//
// Each write is copied some time after it. The writes of one item arrive in their order, each by itself; those of
// different items in any order, also if they were one commit. The copy can be read only.
//
//	s := replicated.New(primary, copy, replicated.Options{})
//	s.Step(func(n int) int { return n - 1 }) // lets one write arrive
//	s.Replica()                              // what has arrived
package replicated
