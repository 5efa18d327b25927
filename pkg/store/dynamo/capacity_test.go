package dynamo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// auditor adds up what DynamoDB Local reports.
type auditor struct{ units float64 }

func (a *auditor) see(x dynamolocal.Exchange) error {
	var out struct{ ConsumedCapacity json.RawMessage }
	if err := json.Unmarshal(x.Answer, &out); err != nil {
		return err
	}
	units, err := dynamolocal.Consumed(out.ConsumedCapacity)
	a.units += units
	return err
}

// DynamoDB Local charges nothing for failed conditions, empty queries and, in
// batches, missing items, and writes of a transaction that cost the same only
// once. DynamoDB charges for all of them: they are left out here.
func TestUsageIsWhatDynamoDBLocalReports(t *testing.T) {
	audit := &auditor{}
	s := dynamo.New(dynamolocal.Client(t, dynamolocal.WithTransport(dynamolocal.Reporting(audit.see))), dynamolocal.Table(t, dynamolocal.Client(t)))
	sized := func(n int) store.Attrs {
		return store.NewAttrs(store.Attr{Name: "v", Value: store.Bytes(strings.Repeat("v", n))}, store.Attr{Name: "n", Value: store.Int(7)})
	}
	// Around the steps of 1 and 4 KB; the key and the names take 32 bytes or so.
	for _, size := range []int{0, 900, 1100, 2000, 3900, 4100, 8000, 8300, 100_000, 390_000} {
		a, b := key("a"), key("b")
		for _, c := range []struct {
			name string
			call func(m *metered) error
		}{
			{"put b", func(m *metered) error { return m.apply(store.Put(b, sized(10), nil)) }},
			{"put a", func(m *metered) error { return m.apply(store.Put(a, sized(size), nil)) }},
			{"get", func(m *metered) error { return m.get(a) }},
			{"get missing", func(m *metered) error { return m.get(key("none")) }},
			{"get many", func(m *metered) error { return m.many(false, a, b, a) }},
			{"snapshot", func(m *metered) error { return m.many(true, a, key("none"), a) }},
			{"query", func(m *metered) error { return m.query(store.Query{}) }},
			{"query filtered", func(m *metered) error { return m.query(store.Query{Filter: store.Absent("v")}) }},
			{"query counted", func(m *metered) error { return m.query(store.Query{CountOnly: true}) }},
			{"set", func(m *metered) error { return m.apply(store.Update(a, nil, store.Set("w", store.Bytes("w")))) }},
			{"conditional add", func(m *metered) error { return m.apply(store.Update(a, store.Exists("v"), store.Add("n", "n", 1))) }},
			{"append", func(m *metered) error { return m.apply(store.Update(a, nil, store.Append("l", []string{"x", "y"}))) }},
			{"shrink", func(m *metered) error { return m.apply(store.Update(a, nil, store.Remove("v"))) }},
			{"put again", func(m *metered) error { return m.apply(store.Put(a, sized(size), store.Absent("v"))) }},
			{"replace by less", func(m *metered) error { return m.apply(store.Put(a, sized(0), nil)) }},
			{"commit", func(m *metered) error {
				return m.commit(store.Put(a, sized(size+1100), nil), store.Put(b, sized(0), nil))
			}},
			{"commit over more", func(m *metered) error {
				return m.commit(store.Update(a, nil, store.Set("v", store.Bytes(""))), store.Delete(b, nil))
			}},
			{"load", func(m *metered) error {
				return m.store.Load(m.ctx, []store.Item{{Key: a, Attrs: sized(size)}, {Key: b, Attrs: sized(10)}}, nil)
			}},
			{"load over more", func(m *metered) error {
				return m.store.Load(m.ctx, []store.Item{{Key: a, Attrs: sized(0)}}, []store.Key{b})
			}},
			{"delete", func(m *metered) error { return m.apply(store.Delete(a, nil)) }},
			{"delete missing", func(m *metered) error { return m.apply(store.Delete(a, nil)) }},
		} {
			audit.units = 0
			var meter store.Meter
			if err := c.call(&metered{store: s, ctx: store.WithMeter(t.Context(), &meter)}); err != nil {
				t.Fatalf("%s, %d bytes: %v", c.name, size, err)
			}
			if u := meter.Total(); u.ReadUnits+u.WriteUnits != audit.units {
				t.Errorf("%s, %d bytes: %+v, DynamoDB Local reports %v units", c.name, size, u, fmt.Sprint(audit.units))
			}
		}
	}
}
