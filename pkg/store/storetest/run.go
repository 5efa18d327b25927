package storetest

import (
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

// Run checks that a store keeps every promise of the port. Each call of open
// returns an empty store, which it closes (t.Cleanup) if that is needed.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, suite := range []struct {
		name  string
		tests []test
	}{
		{"Items", itemTests},
		{"Conditions", conditionTests},
		{"Edits", editTests},
		{"Many", manyTests},
		{"Query", queryTests},
		{"Commit", commitTests},
		{"Concurrency", concurrencyTests},
		{"Limits", limitTests},
		{"Load", loadTests},
		{"Context", contextTests},
		{"Usage", usageTests},
		{"Model", modelTests},
	} {
		t.Run(suite.name, func(t *testing.T) {
			s := open(t)
			for _, tt := range suite.tests {
				t.Run(tt.name, func(t *testing.T) { tt.run(&h{T: t, store: s, partition: t.Name()}) })
			}
		})
	}
}

// test is one test; it works in the partition of its h.
type test struct {
	name string
	run  func(h *h)
}
