package embedded_test

import (
	"testing"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/kafka/objects/embedded"
	"github.com/skystash/skystash/pkg/kafka/objects/objectstest"
	storeembedded "github.com/skystash/skystash/pkg/store/embedded"
)

func TestConformance(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Store {
		s, err := storeembedded.Open(storeembedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return embedded.New(s)
	})
}
