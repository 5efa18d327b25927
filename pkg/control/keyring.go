package control

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"sync"

	"github.com/skystash/skystash/pkg/token"
)

// Keyring keeps the private keys that tokens are signed with, each for itself under its
// id ([token.KeyID]). A key is never changed. Implementations are safe for concurrent use.
type Keyring interface {
	// IDs lists the keys that there are, in any order.
	IDs(ctx context.Context) ([]string, error)
	// Key reads a key; ErrNoKey if there is none.
	Key(ctx context.Context, id string) (ed25519.PrivateKey, error)
	// Add keeps a key. That it is there already is no error.
	Add(ctx context.Context, key ed25519.PrivateKey) error
	// Remove forgets a key. That it is not there is no error.
	Remove(ctx context.Context, id string) error
}

// ErrNoKey: a keyring has no such key.
var ErrNoKey = errors.New("control: no such private key")

// MemoryKeyring is a keyring that forgets everything when the process ends.
type MemoryKeyring struct {
	mu   sync.Mutex
	keys map[string]ed25519.PrivateKey
}

// NewMemoryKeyring makes a keyring of some keys.
func NewMemoryKeyring(keys ...ed25519.PrivateKey) *MemoryKeyring {
	m := &MemoryKeyring{keys: map[string]ed25519.PrivateKey{}}
	for _, key := range keys {
		m.keys[idOf(key)] = key
	}
	return m
}

func idOf(key ed25519.PrivateKey) string { return token.KeyID(publicOf(key)) }

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey)
}

// IDs implements Keyring.
func (m *MemoryKeyring) IDs(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id := range m.keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// Key implements Keyring.
func (m *MemoryKeyring) Key(_ context.Context, id string) (ed25519.PrivateKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, ok := m.keys[id]
	if !ok {
		return nil, ErrNoKey
	}
	return key, nil
}

// Add implements Keyring.
func (m *MemoryKeyring) Add(_ context.Context, key ed25519.PrivateKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[idOf(key)] = key
	return nil
}

// Remove implements Keyring.
func (m *MemoryKeyring) Remove(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, id)
	return nil
}
