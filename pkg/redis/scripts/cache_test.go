package scripts

import "testing"

func TestCacheForgetsWhatWasNotUsedForLongest(t *testing.T) {
	c := newLRU[string, int](10)
	c.put("a", 1, 4)
	c.put("b", 2, 4)
	c.get("a")
	c.put("c", 3, 4) // more than the limit together
	for key, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, ok := c.get(key); ok != want {
			t.Errorf("%s is there: %v", key, ok)
		}
	}
	c.put("a", 5, 1)
	if v, _ := c.get("a"); v != 5 || c.cost != 5 {
		t.Errorf("a is %d, and all costs %d", v, c.cost)
	}
	// What is put last stays, however dear it is.
	c.put("large", 6, 100)
	if _, ok := c.get("large"); !ok || c.order.Len() != 1 {
		t.Errorf("%d entries are left", c.order.Len())
	}
}
