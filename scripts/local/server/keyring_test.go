package server

import (
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/keyringtest"
)

func TestFolderKeyring(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) (control.Keyring, func() control.Keyring) {
		k := folderKeyring{t.TempDir()}
		return k, func() control.Keyring { return k }
	})
}
