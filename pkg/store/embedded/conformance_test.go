package embedded

import (
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, Options{}) })
	})
	t.Run("folder", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, Options{Dir: t.TempDir()}) })
	})
}
