package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/token"
)

// folderKeyring keeps private keys in the data folder: the first one in keyFile, where it has
// always been, those that followed it in keyDir, each in a file of its id's name.
type folderKeyring struct{ dir string }

const keyDir = "keys"

func (k folderKeyring) path(id string) string { return filepath.Join(k.dir, keyDir, id+".pem") }

// IDs implements control.Keyring.
func (k folderKeyring) IDs(context.Context) ([]string, error) {
	var ids []string
	first, err := k.first()
	if err == nil {
		ids = append(ids, token.KeyID(first.Public().(ed25519.PublicKey)))
	} else if !errors.Is(err, control.ErrNoKey) {
		return nil, err
	}
	files, err := os.ReadDir(filepath.Join(k.dir, keyDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the signing keys: %w", err)
	}
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), ".pem"); ok && !strings.HasPrefix(id, ".") {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// first is the key in keyFile.
func (k folderKeyring) first() (ed25519.PrivateKey, error) {
	return readKey(filepath.Join(k.dir, keyFile))
}

func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, control.ErrNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	key, err := token.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", path, err)
	}
	return key, nil
}

// Key implements control.Keyring.
func (k folderKeyring) Key(_ context.Context, id string) (ed25519.PrivateKey, error) {
	first, err := k.first()
	if err == nil && token.KeyID(first.Public().(ed25519.PublicKey)) == id {
		return first, nil
	}
	if err != nil && !errors.Is(err, control.ErrNoKey) {
		return nil, err
	}
	return readKey(k.path(id))
}

// Add implements control.Keyring. It never overwrites a key: each has a file of its own, named by
// the key's id.
func (k folderKeyring) Add(ctx context.Context, key ed25519.PrivateKey) error {
	id := token.KeyID(key.Public().(ed25519.PublicKey))
	if _, err := k.Key(ctx, id); !errors.Is(err, control.ErrNoKey) {
		return err
	}
	if err := os.MkdirAll(filepath.Join(k.dir, keyDir), 0o700); err != nil {
		return fmt.Errorf("writing a signing key: %w", err)
	}
	return writeKey(k.path(id), key)
}

// Remove implements control.Keyring.
func (k folderKeyring) Remove(_ context.Context, id string) error {
	path := k.path(id)
	first, err := k.first()
	if err == nil && token.KeyID(first.Public().(ed25519.PublicKey)) == id {
		path = filepath.Join(k.dir, keyFile)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a signing key: %w", err)
	}
	return nil
}
