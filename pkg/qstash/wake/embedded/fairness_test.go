package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
)

// of makes n hints of an account for a host, due at once.
func of(account, host string, n int) []wake.Hint {
	var hints []wake.Hint
	for i := range n {
		hints = append(hints, wake.Hint{Key: fmt.Sprintf("%s/%s/%d", account, host, i), Account: account, Host: host})
	}
	return hints
}

// party is a handler. It counts what runs; whatever is for a host whose name begins with "hang" never ends.
type party struct {
	mu      sync.Mutex
	order   []string
	running map[string]int // by account, by account/host, and "" in all
	most    map[string]int
}

func newParty() *party { return &party{running: map[string]int{}, most: map[string]int{}} }

func (p *party) handle(ctx context.Context, key string) error {
	account, rest, _ := strings.Cut(key, "/")
	host, _, _ := strings.Cut(rest, "/")
	names := []string{"", account, account + "/" + host}
	p.mu.Lock()
	p.order = append(p.order, account+"/"+host)
	for _, name := range names {
		p.running[name]++
		p.most[name] = max(p.most[name], p.running[name])
	}
	p.mu.Unlock()
	if strings.HasPrefix(host, "hang") {
		<-ctx.Done()
	} else {
		time.Sleep(time.Second)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		p.running[name]--
	}
	return nil
}

// begun counts the calls for an account's host.
func (p *party) begun(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, o := range p.order {
		if o == name {
			n++
		}
	}
	return n
}

// fair starts a waker with a handler, and stops both at the end of the test.
func fair(t *testing.T, opts embedded.Options, handle wake.Handler) *embedded.Waker {
	w := embedded.New(opts)
	ctx, cancel := context.WithCancel(t.Context())
	w.Start(ctx, handle)
	t.Cleanup(func() { cancel(); w.Stop() })
	return w
}

func TestAccountsTakeTurnsAndSoDoTheirHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty()
		w := embedded.New(embedded.Options{Concurrency: 1})
		w.Wake(t.Context(), slices.Concat(of("a", "x", 4), of("a", "y", 2), of("b", "x", 3), of("c", "x", 1))...)
		w.Start(t.Context(), p.handle)
		time.Sleep(time.Minute)
		w.Stop()
		want := []string{"a/x", "b/x", "c/x", "a/y", "b/x", "a/x", "b/x", "a/y", "a/x", "a/x"}
		if !slices.Equal(p.order, want) {
			t.Errorf("order %v, want %v", p.order, want)
		}
	})
}

func TestHangingDestinationsHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty()
		w := fair(t, embedded.Options{Concurrency: 90}, p.handle)
		w.Wake(t.Context(), of("a", "hang", 10_000)...)
		synctest.Wait()
		if n := p.running["a/hang"]; n != 30 {
			t.Errorf("%d calls hang, want a third of 90", n)
		}
		w.Wake(t.Context(), of("a", "good", 20)...)
		w.Wake(t.Context(), of("b", "good", 30)...)
		synctest.Wait() // no time has passed
		if a, b := p.begun("a/good"), p.begun("b/good"); a == 0 || b < 10 {
			t.Errorf("at once, %d and %d calls begin for destinations that answer", a, b)
		}
		time.Sleep(30 * time.Second)
		if a, b := p.begun("a/good"), p.begun("b/good"); a != 20 || b != 30 {
			t.Errorf("%d of 20 and %d of 30 calls were made", a, b)
		}
	})
}

// Nine accounts hang, and the tenth still finds a call free.
func TestEachAccountMoreFindsAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty()
		w := fair(t, embedded.Options{Concurrency: 1000}, p.handle)
		for i := range 9 {
			account := fmt.Sprintf("account-%02d", i)
			w.Wake(t.Context(), of(account, "hang", 2000)...)
			synctest.Wait()
			if p.running[account] == 0 {
				t.Fatalf("account %d makes no call, of %d in all", i, p.running[""])
			}
		}
		w.Wake(t.Context(), of("last", "good", 100)...)
		time.Sleep(2 * time.Minute)
		if n := p.begun("last/good"); n != 100 {
			t.Errorf("%d of 100 calls were made beside nine accounts that hang", n)
		}
	})
}

// Whatever comes in whatever order: the caps hold, all calls are made, and memory of keys is given back.
func TestSharesHoldInRandomOrder(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			p := newParty()
			limit := 1 + rnd.IntN(30)
			w := fair(t, embedded.Options{Concurrency: limit}, p.handle)
			sent := 0
			for range 30 {
				account := string(rune('a' + rnd.IntN(4)))
				hints := of(account, fmt.Sprint("host-", rnd.IntN(3), "-", sent), 1+rnd.IntN(20))
				sent += len(hints)
				w.Wake(t.Context(), hints...)
				time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.order) != sent || p.most[""] > limit {
				t.Errorf("seed %d: %d of %d calls, at most %d at a time of %d", seed, len(p.order), sent, p.most[""], limit)
			}
			for name, n := range p.most {
				if len(name) == 1 && n > (limit+1)/2 {
					t.Errorf("seed %d: account %s makes %d of %d calls", seed, name, n, limit)
				}
			}
		})
	}
}

func TestHintsBeyondTheBoundAreDroppedAndAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty()
		w := fair(t, embedded.Options{Concurrency: 3, Waiting: 10}, p.handle)
		all := of("a", "good", 100)
		w.Wake(t.Context(), all...)
		w.Wake(t.Context(), of("b", "good", 5)...)
		sweeps := 0
		for p.begun("a/good") < len(all) {
			time.Sleep(time.Second)
			synctest.Wait()
			select {
			case <-w.Missing():
				sweeps++
				w.Wake(t.Context(), all[p.begun("a/good"):]...) // what a sweep finds
			default:
			}
			if time.Now().Year() > 2001 {
				t.Fatalf("%d of 100 calls were made, after %d sweeps", p.begun("a/good"), sweeps)
			}
		}
		if b := p.begun("b/good"); b != 5 || sweeps < 5 || sweeps > 25 {
			t.Errorf("%d of 5 calls were made for another account, after %d sweeps", b, sweeps)
		}
	})
}
