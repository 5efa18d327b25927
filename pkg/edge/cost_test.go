package edge_test

import (
	"fmt"
	"testing"

	"github.com/skystash/skystash/pkg/edge"
)

func TestWhoAsksIsToldWhatARequestCosts(t *testing.T) {
	w := newWorld(t)
	told := 0
	for _, p := range w.products {
		read, write := w.send(p, "GET", p.read, "", edge.CostHeader, "true"), w.send(p, "POST", p.write, p.body, edge.CostHeader, "true")
		if read.header.Get(edge.CostHeader) == "" {
			continue // the console and the Developer API
		}
		told++
		var got [2]struct {
			calls           int
			rru, wru, price float64
		}
		for i, a := range []answer{read, write} {
			text := a.header.Get(edge.CostHeader)
			if _, err := fmt.Sscanf(text, "calls=%d, rru=%g, wru=%g, usd=%g", &got[i].calls, &got[i].rru, &got[i].wru, &got[i].price); err != nil {
				t.Fatalf("%s: %q: %v", p.name, text, err)
			}
		}
		if r := got[0]; r.calls < 1 || r.rru < 0.5 || r.wru != 0 || r.price < 0.2e-6 || r.price > 5e-6 {
			t.Errorf("%s: reading costs %+v", p.name, r)
		}
		if r := got[1]; r.calls < 1 || r.wru < 1 || r.price <= 0.6e-6 || r.price > 2e-5 {
			t.Errorf("%s: writing costs %+v", p.name, r)
		}
		for name, a := range map[string]answer{
			"who does not ask": w.send(p, "GET", p.read, ""), "who may not": w.send(p, "GET", p.read, "", edge.CostHeader, "true", "token", "bad"),
		} {
			if text := a.header.Get(edge.CostHeader); text != "" {
				t.Errorf("%s: %s is told %q", p.name, name, text)
			}
		}
	}
	if told != 3 {
		t.Errorf("%d products tell", told)
	}
}
