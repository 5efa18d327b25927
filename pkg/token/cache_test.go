package token

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestCacheIsBounded(t *testing.T) {
	c := newCache(10)
	for i := range 1000 {
		c.put(strconv.Itoa(i), Claims{Resource: strconv.Itoa(i)})
		if n := len(c.young) + len(c.old); n > 10 {
			t.Fatalf("%d entries after %d puts", n, i+1)
		}
	}
	if got := c.get("999"); got == nil || got.Resource != "999" {
		t.Errorf("the newest entry: %+v", got)
	}
	if c.get("0") != nil {
		t.Error("the oldest entry is still there")
	}
}

func TestCacheKeepsWhatIsInUse(t *testing.T) {
	c := newCache(10)
	c.put("hot", Claims{Resource: "hot"})
	for i := range 1000 {
		c.put(strconv.Itoa(i), Claims{})
		if got := c.get("hot"); got == nil || got.Resource != "hot" {
			t.Fatalf("dropped after %d other entries", i+1)
		}
	}
}

func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	s := newSigner(t, SignerConfig{})
	v := newVerifier(t, VerifierConfig{CacheSize: 4})
	tokens := make([]string, 8)
	for i := range tokens {
		c := sample()
		c.Resource = fmt.Sprint("db-", i)
		tokens[i] = mint(t, s, c)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				n := (g + i) % len(tokens)
				got, err := v.Verify(t.Context(), tokens[n])
				if want := fmt.Sprint("db-", n); err != nil || got.Resource != want {
					t.Errorf("got %+v, %v, want %s", got, err, want)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkVerifyCached(b *testing.B) {
	v := newVerifier(b, VerifierConfig{Now: time.Now})
	c := sample()
	c.Expires = time.Now().Add(time.Hour)
	signed := mint(b, newSigner(b, SignerConfig{}), c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), signed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyFirstTime(b *testing.B) {
	v := newVerifier(b, VerifierConfig{})
	signed := mint(b, newSigner(b, SignerConfig{}), sample())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.parse(b.Context(), signed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMint(b *testing.B) {
	s := newSigner(b, SignerConfig{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Mint(sample()); err != nil {
			b.Fatal(err)
		}
	}
}
