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
	// KeyAge is how old the published keys may be that a Verifier goes by: after that
	// time a key that was retired opens nothing any more.
	KeyAge = 8 * time.Second

	// keyRefresh is when they are read again by a request that has something else to read, in one
	// call with that. A request that has nothing to read goes on with what there is.
	keyRefresh = 4 * time.Second

	// keySearch is how often they are read for the sake of a key that nobody knows:
	// tokens with ids made up cost no more than that.
	keySearch = time.Second

	// keyTimeout bounds a read. It is done for all who need it, so that the end of the request
	// that does it does not end it.
	keyTimeout = 5 * time.Second
)

// keySet is what a Verifier goes by. It is not changed.
type keySet struct {
	good map[string]ed25519.PublicKey // by KeyID
	read fresh.Time                   // when the read began; 0: never
}

// keySource has the keys that tokens are checked with: those given, and those published.
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

// find returns the key with an id, or ErrUnknownKey, or ErrKeysUnavailable.
func (s *keySource) find(ctx context.Context, id string) (ed25519.PublicKey, error) {
	set := s.set.Load()
	if s.published == nil {
		if key, ok := set.good[id]; ok {
			return key, nil
		}
		return nil, ErrUnknownKey
	}
	_, known := set.good[id]
	now := s.now()
	within := func(age time.Duration) bool { return set.read.Within(age, now) }
	switch {
	case within(keySearch), within(keyRefresh) && known:
	case within(KeyAge) && known:
		if s.published.Along(ctx) && s.reading.TryLock() {
			newer, err := s.read(ctx)
			s.reading.Unlock()
			if err == nil {
				set = newer
			}
		}
	default:
		var err error
		if set, err = s.newer(ctx, set); err != nil {
			return nil, err
		}
	}
	if key, ok := set.good[id]; ok {
		return key, nil
	}
	return nil, ErrUnknownKey
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
