package keyspace_test

import (
	"fmt"
	"testing"

	"github.com/skystash/skystash/pkg/redis/keyspace"
)

func TestWaited(t *testing.T) {
	var w keyspace.Waited
	if w.For("k", 0) || !w.IsZero() {
		t.Error("nobody waits")
	}
	var keys []string
	for i := range keyspace.MaxWaited / 2 {
		keys = append(keys, fmt.Sprintf("key:%d", i))
	}
	w = w.With(keys, 100, 200)
	missed, mistaken := 0, 0
	for i := range 10_000 {
		if i < len(keys) && !w.For(keys[i], 150) {
			missed++
		}
		if w.For(fmt.Sprintf("other:%d", i), 150) {
			mistaken++
		}
	}
	if missed > 0 || mistaken > 1000 {
		t.Errorf("%d keys are missing, %d others look the same", missed, mistaken)
	}
	if w.For(keys[0], 200) {
		t.Error("it does not end")
	}
	again := w.With([]string{"x"}, 150, 300)
	if !again.For(keys[0], 250) || !again.For("x", 250) {
		t.Error("what was asked before is forgotten")
	}
	if late := w.With([]string{"x"}, 250, 300); late.For(keys[0], 260) || !late.For("x", 260) {
		t.Error("what has ended comes back")
	}
}
