package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/skystash/skystash/pkg/store"
)

// together runs n copies of work at once. Work reports errors, it must not end the test.
func together(n int, work func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { work(i) })
	}
	wg.Wait()
}

var concurrencyTests = []test{
	{"a counter is exact", func(h *h) {
		const workers, each = 8, 25
		var seen [workers * each]atomic.Bool
		together(workers, func(int) {
			for range each {
				old, err := h.store.Apply(h.Context(), store.Update(h.key("n"), nil, store.Add("n", "n", 1)))
				if err != nil {
					h.Error(err)
					return
				}
				if n := old.Get("n").Num(); n >= workers*each || seen[n].Swap(true) {
					h.Errorf("old value %d seen twice", n)
				}
			}
		})
		h.want("n", attrs("n", workers*each))
	}},
	{"a conditional put succeeds once", func(h *h) {
		for round := range 10 {
			var won atomic.Int32
			key := h.key(fmt.Sprint(round))
			together(6, func(i int) {
				_, err := h.store.Apply(h.Context(), store.Put(key, attrs("i", i), store.Absent("i")))
				var failed *store.ConditionError
				switch {
				case err == nil:
					won.Add(1)
				case !errors.As(err, &failed) || !failed.Old.Has("i"):
					h.Error(err)
				}
			})
			if won.Load() != 1 {
				h.Errorf("%d writers succeeded", won.Load())
			}
		}
	}},
	{"list elements are taken once each", func(h *h) {
		var all []string
		for i := range 40 {
			all = append(all, fmt.Sprint(i))
		}
		h.put("l", attrs("l", all))
		var mu sync.Mutex
		taken := map[string]int{}
		together(5, func(int) {
			for {
				old, err := h.store.Apply(h.Context(), store.Update(h.key("l"), store.SizeGt("l", 0), store.RemoveFirst("l")))
				var failed *store.ConditionError
				if errors.As(err, &failed) {
					return
				}
				if err != nil {
					h.Error(err)
					return
				}
				mu.Lock()
				taken[old.Get("l").Elems()[0]]++
				mu.Unlock()
			}
		})
		for _, e := range all {
			if taken[e] != 1 {
				h.Errorf("element %s was taken %d times", e, taken[e])
			}
		}
	}},
	{"transfers keep the sum, and snapshots see it", func(h *h) {
		const accounts, start = 5, 100
		var keys []store.Key
		for i := range accounts {
			h.put(fmt.Sprint(i), attrs("n", start))
			keys = append(keys, h.key(fmt.Sprint(i)))
		}
		var stop atomic.Bool
		var transfers sync.WaitGroup
		for w := range 4 {
			transfers.Go(func() {
				for i := range 25 {
					from, to := keys[(w+i)%accounts], keys[(w+2*i+1)%accounts]
					if from == to {
						continue
					}
					err := h.store.Commit(h.Context(), []store.Op{
						store.Update(from, store.Gt("n", store.Int(0)), store.Add("n", "n", -1)),
						store.Update(to, nil, store.Add("n", "n", 1)),
					})
					if err != nil && !errors.Is(err, store.ErrConflict) {
						h.Error(err)
					}
				}
			})
		}
		readers := make(chan struct{})
		go func() {
			defer close(readers)
			for !stop.Load() {
				found, err := h.store.GetMany(h.Context(), keys, true)
				if errors.Is(err, store.ErrConflict) {
					continue
				}
				if err != nil {
					h.Error(err)
					return
				}
				if sum := sumOf(found); sum != accounts*start {
					h.Errorf("a snapshot sums up to %d, want %d", sum, accounts*start)
				}
			}
		}()
		transfers.Wait()
		stop.Store(true)
		<-readers
		found, err := h.store.GetMany(h.Context(), keys, true)
		if sum := sumOf(found); err != nil || sum != accounts*start {
			h.Errorf("in the end the sum is %d, error %v", sum, err)
		}
	}},
	{"a large snapshot is never torn", func(h *h) {
		const n = 120
		var keys []store.Key
		for i := range n {
			keys = append(keys, h.key(fmt.Sprintf("%03d", i)))
		}
		write := func(generation int) {
			// The first and the last always change together.
			err := h.store.Commit(h.Context(), []store.Op{
				store.Put(keys[0], attrs("n", generation), nil),
				store.Put(keys[n-1], attrs("n", generation), nil),
			})
			if err != nil && !errors.Is(err, store.ErrConflict) {
				h.Error(err)
			}
		}
		write(0)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for g := 1; g <= 40; g++ {
				write(g)
			}
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			found, err := h.store.GetMany(h.Context(), keys, true)
			if errors.Is(err, store.ErrConflict) {
				continue
			}
			if err != nil {
				h.Fatal(err)
			}
			if !found[0].Equal(found[n-1]) {
				h.Errorf("torn: %s and %s", short(found[0]), short(found[n-1]))
			}
		}
	}},
	{"a commit is seen as a whole by conditions", func(h *h) {
		h.mustCommit(store.Put(h.key("a"), attrs("n", 0), nil), store.Put(h.key("b"), attrs("n", 0), nil))
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 30 {
				err := h.store.Commit(h.Context(), []store.Op{
					store.Update(h.key("a"), nil, store.Add("n", "n", 1)),
					store.Update(h.key("b"), nil, store.Add("n", "n", 1)),
				})
				if err != nil && !errors.Is(err, store.ErrConflict) {
					h.Error(err)
				}
			}
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			a, err := h.store.Get(h.Context(), h.key("a"))
			if err != nil {
				h.Fatal(err)
			}
			// b has come at least as far as a had.
			err = h.commit(store.Check(h.key("b"), store.Ge("n", a.Get("n"))), store.Put(h.key("c"), a, nil))
			if err != nil && !errors.Is(err, store.ErrConflict) {
				h.Errorf("a was at %d: %v", a.Get("n").Num(), err)
			}
		}
	}},
	{"plain writes beside transactions are not lost", func(h *h) {
		const rounds = 30
		var plain, several atomic.Int64
		together(4, func(i int) {
			for range rounds {
				if i%2 == 0 {
					if _, err := h.store.Apply(h.Context(), store.Update(h.key("a"), nil, store.Add("n", "n", 1))); err == nil {
						plain.Add(1)
					} else if !errors.Is(err, store.ErrConflict) {
						h.Error(err)
					}
					continue
				}
				err := h.store.Commit(h.Context(), []store.Op{
					store.Update(h.key("a"), nil, store.Add("n", "n", 1)),
					store.Update(h.key("b"), nil, store.Add("n", "n", 1)),
				})
				if err == nil {
					several.Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					h.Error(err)
				}
			}
		})
		h.want("a", attrs("n", plain.Load()+several.Load()))
		h.want("b", attrs("n", several.Load()))
	}},
}

func sumOf(found []store.Attrs) (sum int64) {
	for _, as := range found {
		sum += as.Get("n").Num()
	}
	return sum
}
