// Package storetest is the conformance suite of the port in package store. An
// implementation runs it in one line:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return openEmpty(t) })
//	}
//
// It needs nothing but the port. A store that it opens may be shared by several
// tests at once: they keep to partitions of their own.
package storetest
