package storetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// cost measures a call.
func (h *h) cost(call func(h *metered) error) (store.Usage, error) {
	var meter store.Meter
	err := call(&metered{h: h, ctx: store.WithMeter(h.Context(), &meter)})
	return meter.Total(), err
}

func kilobytes(n int) store.Attrs { return attrs("v", strings.Repeat("v", n<<10)) }

type usageCase struct {
	name   string
	call   func(m *metered) error
	reads  float64
	writes float64
}

var usageTests = []test{
	{"plain calls cost what DynamoDB bills", func(h *h) {
		h.put("small", attrs("v", "x"))
		h.put("5K", kilobytes(5))
		h.put("9K", kilobytes(9))
		for _, c := range []usageCase{
			{"get, small", func(m *metered) error { return m.get("small") }, 1, 0},
			{"get, missing", func(m *metered) error { return m.get("none") }, 1, 0},
			{"get, 9K", func(m *metered) error { return m.get("9K") }, 3, 0},
			{"check", func(m *metered) error { return m.apply(store.Check(h.key("9K"), nil)) }, 3, 0},
			{"get many: each item by itself", func(m *metered) error { return m.many(false, "small", "9K", "none", "5K") }, 1 + 3 + 1 + 2, 0},
			{"get many, repeated", func(m *metered) error { return m.many(false, "9K", "small", "9K") }, 3 + 1, 0},
			{"get, perhaps stale", func(m *metered) error { m.ctx = store.Stale(m.ctx); return m.get("9K") }, 1.5, 0},
			{"get many, perhaps stale", func(m *metered) error {
				m.ctx = store.Stale(m.ctx)
				return m.many(false, "small", "9K", "none", "5K")
			}, (1 + 3 + 1 + 2) / 2.0, 0},
			{"snapshot costs double", func(m *metered) error { return m.many(true, "small", "9K", "none", "5K") }, 2 * (1 + 3 + 1 + 2), 0},
			{"snapshot of one", func(m *metered) error { return m.many(true, "9K") }, 3, 0},
			{"query: items together", func(m *metered) error { return m.query(store.Query{From: "5", To: "A"}) }, 4, 0},
			{"query, filtered out", func(m *metered) error { return m.query(store.Query{From: "5", To: "A", Filter: store.Exists("q")}) }, 4, 0},
			{"query, counted", func(m *metered) error { return m.query(store.Query{From: "5", To: "A", CountOnly: true}) }, 4, 0},
			{"query, empty", func(m *metered) error { return m.query(store.Query{From: "zzz"}) }, 1, 0},
			{"put, small", func(m *metered) error { return m.apply(store.Put(h.key("p"), attrs("v", "x"), nil)) }, 0, 1},
			{"put, 5K", func(m *metered) error { return m.apply(store.Put(h.key("p"), kilobytes(5), nil)) }, 0, 6},
			{"put, small over 5K", func(m *metered) error { return m.apply(store.Put(h.key("p"), attrs("v", "x"), nil)) }, 0, 6},
			{"put, condition met", func(m *metered) error {
				return m.apply(store.Put(h.key("p"), kilobytes(2), store.Exists("v")))
			}, 0, 3},
			{"update, of the whole item", func(m *metered) error {
				return m.apply(store.Update(h.key("p"), nil, store.Set("w", store.Int(1))))
			}, 0, 3},
			{"update that grows", func(m *metered) error {
				return m.apply(store.Update(h.key("p"), nil, store.Set("x2", store.Bytes(strings.Repeat("x", 2<<10)))))
			}, 0, 5},
			{"update that shrinks", func(m *metered) error {
				return m.apply(store.Update(h.key("p"), nil, store.Remove("x2"), store.Remove("v")))
			}, 0, 5},
			{"update that creates", func(m *metered) error {
				return m.apply(store.Update(h.key("new"), nil, store.Append("l", []string{strings.Repeat("l", 1<<10)})))
			}, 0, 2},
			{"delete", func(m *metered) error { return m.apply(store.Delete(h.key("new"), nil)) }, 0, 2},
			{"delete, missing", func(m *metered) error { return m.apply(store.Delete(h.key("new"), nil)) }, 0, 1},
			{"commit of one", func(m *metered) error { return m.commit(store.Put(h.key("p"), kilobytes(2), nil)) }, 0, 3},
			{"commit of several costs double", func(m *metered) error {
				return m.commit(store.Put(h.key("q"), kilobytes(2), nil), store.Put(h.key("r"), attrs("v", 1), nil), store.Check(h.key("r2"), store.Absent("v")))
			}, 0, 2 * (3 + 1 + 1)},
			{"commit bills the old items too", func(m *metered) error {
				return m.commit(store.Put(h.key("q"), attrs("v", 1), nil), store.Delete(h.key("9K"), nil))
			}, 0, 2 * (3 + 10)},
			{"load", func(m *metered) error {
				return m.store.Load(m.ctx, []store.Item{{Key: h.key("x"), Attrs: kilobytes(2)}, {Key: h.key("y"), Attrs: attrs("v", 1)}}, []store.Key{h.key("5K")})
			}, 0, 3 + 1 + 6},
		} {
			u, err := h.cost(c.call)
			if err != nil {
				h.Errorf("%s: %v", c.name, err)
			}
			if u.ReadUnits != c.reads || u.WriteUnits != c.writes || u.Calls < 1 {
				h.Errorf("%s: %+v, want %v read and %v write units", c.name, u, c.reads, c.writes)
			}
		}
	}},
	{"failed conditions are billed by the item found", func(h *h) {
		h.put("5K", kilobytes(5))
		never := store.Exists("nowhere")
		for _, c := range []usageCase{
			{"put", func(m *metered) error { return m.apply(store.Put(h.key("5K"), nil, never)) }, 0, 6},
			{"update", func(m *metered) error {
				return m.apply(store.Update(h.key("5K"), never, store.Set("v", store.Int(1))))
			}, 0, 6},
			{"delete", func(m *metered) error { return m.apply(store.Delete(h.key("5K"), never)) }, 0, 6},
			{"missing item", func(m *metered) error { return m.apply(store.Put(h.key("none"), nil, never)) }, 0, 1},
			{"check", func(m *metered) error { return m.apply(store.Check(h.key("5K"), never)) }, 2, 0},
		} {
			u, err := h.cost(c.call)
			if err == nil {
				h.Errorf("%s: no error", c.name)
			}
			if u.ReadUnits != c.reads || u.WriteUnits != c.writes || u.Calls < 1 {
				h.Errorf("%s: %+v, want %v read and %v write units", c.name, u, c.reads, c.writes)
			}
		}
		u, err := h.cost(func(m *metered) error {
			return m.commit(store.Put(h.key("a"), attrs("v", 1), nil), store.Delete(h.key("5K"), never))
		})
		if err == nil || u.WriteUnits < 2*(1+6) {
			h.Errorf("commit: %+v, error %v", u, err)
		}
	}},
	{"calls are counted", func(h *h) {
		var sorts []string
		for i := range 250 {
			sorts = append(sorts, fmt.Sprint(i))
		}
		u, err := h.cost(func(m *metered) error { return m.many(false, sorts...) })
		if err != nil || u.Calls < 3 || u.ReadUnits != 250 {
			h.Errorf("250 keys: %+v, error %v", u, err)
		}
		u, err = h.cost(func(m *metered) error {
			for range 3 {
				if err := m.get("a"); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || u.Calls < 3 || u.ReadUnits != 3 {
			h.Errorf("three gets: %+v, error %v", u, err)
		}
	}},
}

// metered makes calls whose usage is counted.
type metered struct {
	*h
	ctx context.Context
}

func (m *metered) get(sort string) error {
	_, err := m.store.Get(m.ctx, m.key(sort))
	return err
}

func (m *metered) many(snapshot bool, sorts ...string) error {
	keys := make([]store.Key, len(sorts))
	for i, s := range sorts {
		keys[i] = m.key(s)
	}
	_, err := m.store.GetMany(m.ctx, keys, snapshot)
	return err
}

func (m *metered) query(q store.Query) error {
	q.Partition = m.partition
	_, err := m.store.Query(m.ctx, q)
	return err
}

func (m *metered) apply(op store.Op) error {
	_, err := m.store.Apply(m.ctx, op)
	return err
}

func (m *metered) commit(ops ...store.Op) error { return m.store.Commit(m.ctx, ops) }
