package token_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/token"
)

// directory is a directory of keys in memory.
type directory struct {
	mu    sync.Mutex
	keys  []token.PublishedKey
	err   error
	reads atomic.Int64
	along atomic.Bool
	slow  func() // nil, or what happens between the question and the answer
}

func (d *directory) Along(context.Context) bool { return d.along.Load() }

func (d *directory) Keys(context.Context) ([]token.PublishedKey, error) {
	d.reads.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slow != nil {
		d.slow()
	}
	return d.keys, d.err
}

func (d *directory) set(err error, keys ...token.PublishedKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys, d.err = keys, err
}

// publishing is a verifier over a directory, with keys to sign with.
type publishing struct {
	*testing.T
	directory
	now      atomic.Int64
	verifier *token.Verifier
}

func newPublishing(t *testing.T, given ...ed25519.PublicKey) *publishing {
	p := &publishing{T: t}
	p.now.Store(time.Now().UnixNano())
	v, err := token.NewVerifier(token.VerifierConfig{Keys: given, Published: &p.directory, Now: p.clock})
	if err != nil {
		t.Fatal(err)
	}
	p.verifier = v
	return p
}

func (p *publishing) clock() time.Time        { return time.Unix(0, p.now.Load()) }
func (p *publishing) advance(d time.Duration) { p.now.Add(int64(d)) }

// sign makes a key and a token of it.
func (p *publishing) sign() (ed25519.PublicKey, string) {
	p.Helper()
	key, err := token.GenerateKey()
	if err != nil {
		p.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key, Now: p.clock})
	if err != nil {
		p.Fatal(err)
	}
	text, err := signer.Mint(token.Claims{CredentialID: "c", Resource: "r", Products: []string{"redis"}, Scope: token.ReadWrite})
	if err != nil {
		p.Fatal(err)
	}
	return key.Public().(ed25519.PublicKey), text
}

func (p *publishing) want(when, text string, want error) {
	p.Helper()
	if _, err := p.verifier.Verify(p.Context(), text); !errors.Is(err, want) || want == nil && err != nil {
		p.Errorf("%s: %v, want %v", when, err, want)
	}
}

func TestPublishedKeysAreFoundAndRetired(t *testing.T) {
	p := newPublishing(t)
	first, a := p.sign()
	second, b := p.sign()
	p.set(nil, token.PublishedKey{Key: first})
	p.want("a published key", a, nil)
	p.want("a key not yet published", b, token.ErrUnknownKey)
	p.set(nil, token.PublishedKey{Key: first}, token.PublishedKey{Key: second})
	p.advance(time.Second)
	p.want("a key published since", b, nil)
	p.want("the key before", a, nil)
	p.set(nil, token.PublishedKey{Key: first, Retired: true}, token.PublishedKey{Key: second})
	p.advance(token.KeyAge)
	p.want("a retired key", a, token.ErrUnknownKey)
	p.want("the key after it", b, nil)
}

func TestGivenKeysAreGoodUntilTheyAreRetired(t *testing.T) {
	p := newPublishing(t)
	key, text := p.sign()
	p2 := newPublishing(t, key)
	p2.now.Store(p.now.Load())
	p2.want("a given key", text, nil)
	p2.set(nil, token.PublishedKey{Key: key, Retired: true})
	p2.advance(token.KeyAge)
	p2.want("a given key that was retired", text, token.ErrUnknownKey)
}

func TestMadeUpKeysCostNoReads(t *testing.T) {
	p := newPublishing(t)
	known, good := p.sign()
	p.set(nil, token.PublishedKey{Key: known})
	p.want("a published key", good, nil)
	for range 1000 {
		_, text := p.sign()
		p.want("a key that nobody has published", text, token.ErrUnknownKey)
	}
	if n := p.reads.Load(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
	for range 10 {
		p.advance(500 * time.Millisecond)
		_, text := p.sign()
		p.want("a key that nobody has published", text, token.ErrUnknownKey)
	}
	if n := p.reads.Load(); n > 6 {
		t.Errorf("the keys were read %d times in five seconds", n)
	}
	before := p.reads.Load()
	for range 60 {
		p.advance(time.Second)
		p.want("a published key", good, nil)
	}
	if n := p.reads.Load() - before; n > 15 {
		t.Errorf("the keys were read %d times in a minute of good tokens", n)
	}
}

// A request that reads something else brings the keys along before they are too old; so hardly any
// request waits for them alone.
func TestKeysAreRefreshedWithWhatARequestReads(t *testing.T) {
	p := newPublishing(t)
	key, text := p.sign()
	p.set(nil, token.PublishedKey{Key: key})
	p.want("a published key", text, nil)
	expect := func(when string, want int64) {
		t.Helper()
		p.want(when, text, nil)
		if n := p.reads.Swap(0); n != want {
			t.Errorf("%s: %d reads of the keys, want %d", when, n, want)
		}
	}
	p.reads.Store(0)
	p.advance(5 * time.Second)
	expect("a request that has nothing to read", 0)
	p.along.Store(true)
	expect("one that has", 1)
	p.advance(3 * time.Second)
	expect("one that has, but the keys are young", 0)
	p.set(errors.New("out of reach"), token.PublishedKey{Key: key})
	p.advance(3 * time.Second)
	expect("one whose read fails", 1)
	p.set(nil, token.PublishedKey{Key: key, Retired: true})
	p.want("the next one, of a key that was retired meanwhile", text, token.ErrUnknownKey)
}

// The answer of the directory comes late: the age of the keys counts from before the question.
func TestAgeOfKeysCountsFromBeforeTheRead(t *testing.T) {
	p := newPublishing(t)
	key, text := p.sign()
	p.set(nil, token.PublishedKey{Key: key})
	p.slow = func() { p.advance(token.KeyAge - time.Second) }
	p.want("a published key", text, nil)
	p.slow = nil
	p.set(nil, token.PublishedKey{Key: key, Retired: true})
	p.advance(time.Second)
	p.want("a key that was retired as soon as it was read", text, token.ErrUnknownKey)
}

func TestOutageOfTheDirectory(t *testing.T) {
	p := newPublishing(t)
	key, text := p.sign()
	outage := errors.New("out of reach")
	p.set(outage)
	p.want("keys that were never read", text, token.ErrKeysUnavailable)
	p.set(nil, token.PublishedKey{Key: key})
	p.want("keys that can be read now", text, nil)
	p.set(outage, token.PublishedKey{Key: key})
	p.advance(token.KeyAge - time.Second)
	p.want("keys that were read lately", text, nil)
	p.advance(2 * time.Second)
	p.want("keys that are too old", text, token.ErrKeysUnavailable)
}

func TestConcurrentVerifiersShareReads(t *testing.T) {
	p := newPublishing(t)
	key, text := p.sign()
	p.set(nil, token.PublishedKey{Key: key})
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			for range 100 {
				if _, err := p.verifier.Verify(p.Context(), text); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := p.reads.Load(); n != 1 {
		t.Errorf("the keys were read %d times", n)
	}
}
