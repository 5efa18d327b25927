package dynamo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/store/dynamo/dynamolocal"
)

// auditor makes DynamoDB Local report what every request consumes.
type auditor struct{ units float64 }

func (a *auditor) RoundTrip(r *http.Request) (*http.Response, error) {
	in := map[string]json.RawMessage{}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	in["ReturnConsumedCapacity"] = json.RawMessage(`"TOTAL"`)
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	resp.Header.Del("X-Amz-Crc32")
	return resp, a.add(answer)
}

func (a *auditor) add(answer []byte) error {
	type capacity struct{ CapacityUnits float64 }
	var out struct{ ConsumedCapacity json.RawMessage }
	if err := json.Unmarshal(answer, &out); err != nil || out.ConsumedCapacity == nil {
		return err
	}
	var one capacity
	if json.Unmarshal(out.ConsumedCapacity, &one) == nil {
		a.units += one.CapacityUnits
		return nil
	}
	var several []capacity
	if err := json.Unmarshal(out.ConsumedCapacity, &several); err != nil {
		return err
	}
	for _, c := range several {
		a.units += c.CapacityUnits
	}
	return nil
}

// DynamoDB Local charges nothing for failed conditions, empty queries and, in
// batches, missing items, and writes of a transaction that cost the same only
// once. DynamoDB charges for all of them: they are left out here.
func TestUsageIsWhatDynamoDBLocalReports(t *testing.T) {
	audit := &auditor{}
	s := dynamo.New(dynamolocal.Client(t, dynamolocal.WithTransport(audit)), dynamolocal.Table(t, dynamolocal.Client(t)))
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
