package token

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
)

// Directory is where a deployment publishes the keys that its tokens are signed with.
type Directory interface {
	// Keys reads all keys.
	Keys(ctx context.Context) ([]PublishedKey, error)
	// Along reports whether Keys would share a call that the request makes anyway.
	Along(ctx context.Context) bool
}

// PublishedKey is a key as a Directory has it.
type PublishedKey struct {
	Key     ed25519.PublicKey
	Retired bool // its tokens are not good any more
}

const (
	// KeyAge is how old a Verifier's copy of the published keys may be. A retired key opens nothing
	// any more after that time.
	KeyAge = 8 * time.Second

	// keyRefresh is the age from which a request reads the keys again, if it reads something else
	// anyway: both are read in one call. A request that reads nothing else uses the copy.
	keyRefresh = 4 * time.Second

	// keySearch is the shortest time between two reads that look for an unknown key. Tokens with
	// made-up key ids therefore cause at most one read a second.
	keySearch = time.Second

	// keyTimeout bounds a read of the keys. Several requests may wait for one read, so the read
	// goes on when the request that began it ends.
	keyTimeout = 5 * time.Second
)

// keySet is a Verifier's copy of the keys. It is immutable.
type keySet struct {
	good map[string]ed25519.PublicKey // by KeyID
	read fresh.Time                   // when the read began; 0: never
}

// keySource finds the key that checks a token: among the keys of the configuration and the
// published ones.
type keySource struct {
	given     map[string]ed25519.PublicKey
	published Directory // nil: only those given
	now       func() time.Time

	set     atomic.Pointer[keySet]
	reading sync.Mutex
}

func newKeySource(given map[string]ed25519.PublicKey, published Directory, now func() time.Time) *keySource {
	s := &keySource{given: given, published: published, now: now}
	s.set.Store(&keySet{good: given})
	return s
}

// find returns the key with an id and the time, or ErrUnknownKey, or ErrKeysUnavailable.
func (s *keySource) find(ctx context.Context, id string) (key ed25519.PublicKey, now time.Time, err error) {
	set := s.set.Load()
	now = s.now() // after the set: its age would not be known otherwise
	if s.published == nil {
		if key, ok := set.good[id]; ok {
			return key, now, nil
		}
		return nil, now, ErrUnknownKey
	}
	key, known := set.good[id]
	within := func(age time.Duration) bool { return set.read.Within(age, now) }
	switch {
	case within(keySearch), within(keyRefresh) && known:
	case within(KeyAge) && known:
		if s.published.Along(ctx) && s.reading.TryLock() {
			newer, err := s.read(ctx)
			s.reading.Unlock()
			if err == nil {
				key, known = newer.good[id]
			}
		}
	default:
		if set, err = s.newer(ctx, set); err != nil {
			return nil, now, err
		}
		key, known = set.good[id]
	}
	if !known {
		return nil, now, ErrUnknownKey
	}
	return key, now, nil
}

// newer reads the keys, unless somebody else has done so since.
func (s *keySource) newer(ctx context.Context, than *keySet) (*keySet, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if set := s.set.Load(); set != than {
		return set, nil
	}
	return s.read(ctx)
}

func (s *keySource) read(ctx context.Context) (*keySet, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyTimeout)
	defer cancel()
	at := fresh.At(s.now())
	keys, err := s.published.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	good := make(map[string]ed25519.PublicKey, len(s.given)+len(keys))
	for id, key := range s.given {
		good[id] = key
	}
	for _, k := range keys {
		if k.Retired {
			delete(good, KeyID(k.Key))
		} else {
			good[KeyID(k.Key)] = k.Key
		}
	}
	set := &keySet{good, at}
	s.set.Store(set)
	return set, nil
}
