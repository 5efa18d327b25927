package redis_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
)

func TestCommandsAreDescribed(t *testing.T) {
	d := newTestEngine(t)
	all := d.e.Commands()
	for _, want := range []redis.CommandInfo{
		{Name: "GET", Arity: 2, Group: "string", FirstKey: 1},
		{Name: "CONFIG GET", Arity: -3, Group: "server"},
		{Name: "ZADD", Arity: -4, Group: "sorted-set", FirstKey: 1},
	} {
		i := slices.IndexFunc(all, func(c redis.CommandInfo) bool { return c.Name == want.Name })
		if i < 0 {
			t.Errorf("%s is missing", want.Name)
			continue
		}
		got := all[i]
		if got.Arity != want.Arity || got.Group != want.Group || got.FirstKey != want.FirstKey || got.Summary == "" || len(got.Categories) == 0 {
			t.Errorf("%s: %+v, want %+v", want.Name, got, want)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b redis.CommandInfo) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("they are not in the order of their names")
	}
	if slices.ContainsFunc(all, func(c redis.CommandInfo) bool { return c.Name == "CONFIG" }) {
		t.Error("CONFIG alone is no command")
	}
}
