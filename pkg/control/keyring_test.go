package control_test

import (
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/keyringtest"
)

func TestMemoryKeyring(t *testing.T) {
	keyringtest.Run(t, func(*testing.T) (control.Keyring, func() control.Keyring) {
		k := control.NewMemoryKeyring()
		return k, func() control.Keyring { return k }
	})
}
