package dynamo

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

func TestConditionText(t *testing.T) {
	one := store.Int(1)
	for _, tt := range []struct {
		cond store.Cond
		want string
	}{
		{store.Exists("t"), "attribute_exists(t)"},
		{store.Absent("name"), "attribute_not_exists(#a)"},
		{store.Eq("n", one), "n=:a"},
		{store.Ne("n", one), "n<>:a"},
		{store.SizeGt("l", 1), "size(l)>:a"},
		{store.And{store.Eq("n", one), store.Lt("name", one), store.Ge("name", one)}, "n=:a AND #a<:b AND #a>=:c"},
		{store.And{store.Or{store.Absent("t"), store.Eq("t", one)}, store.Exists("e")}, "(attribute_not_exists(t) OR t=:a) AND attribute_exists(e)"},
		{store.And{store.Or{store.Absent("t")}, store.And{store.Exists("e")}}, "attribute_not_exists(t) AND attribute_exists(e)"},
		{store.Or{store.And{store.Or{store.Eq("n", one)}}}, "n=:a"},
		{store.Not{Cond: store.Eq("n", one)}, "NOT n=:a"},
		{store.Not{Cond: store.And{store.Exists("a"), store.Exists("b")}}, "NOT (attribute_exists(a) AND attribute_exists(b))"},
		{store.Not{Cond: store.Not{Cond: store.Exists("a")}}, "attribute_exists(a)"},
		{store.And{}, "attribute_exists(x) OR attribute_not_exists(x)"},
		{store.And{store.Or{}, store.Exists("a")}, "(attribute_exists(x) AND attribute_not_exists(x)) AND attribute_exists(a)"},
		{store.Eq("a", store.Value{}), "attribute_not_exists(a)"},
		{store.Eq("é", one), "#a=:a"},
		{store.Eq("0", one), "#a=:a"},
	} {
		var e expression
		e.condition(tt.cond, false)
		text, err := e.take()
		if err != nil || *text != tt.want {
			t.Errorf("%#v: %q, error %v, want %q", tt.cond, *text, err, tt.want)
		}
	}
}

func TestUpdateText(t *testing.T) {
	for _, tt := range []struct {
		edits []store.Edit
		want  string
	}{
		{[]store.Edit{store.Set("a", store.Int(1)), store.Set("name", store.Int(1))}, "SET a=:a,#a=:b"},
		{[]store.Edit{store.Remove("a"), store.Set("b", store.Int(1)), store.Remove("c")}, "SET b=:a REMOVE a,c"},
		{[]store.Edit{store.Remove("a"), store.Set("b", store.Value{})}, "REMOVE a,b"},
		{[]store.Edit{store.Default("a", store.Int(1))}, "SET a=if_not_exists(a,:a)"},
		{[]store.Edit{store.Add("a", "a", 1), store.Add("b", "a", 2)}, "SET a=if_not_exists(a,:a)+:b,b=if_not_exists(a,:a)+:c"},
		{[]store.Edit{store.Append("l", nil), store.Prepend("m", nil)}, "SET l=list_append(if_not_exists(l,:a),:b),m=list_append(:c,if_not_exists(m,:a))"},
		{[]store.Edit{store.CopyFirst("q", "l"), store.RemoveFirst("l")}, "SET q=l[0] REMOVE l[0]"},
	} {
		var e expression
		e.update(tt.edits)
		text, err := e.take()
		if err != nil || *text != tt.want {
			t.Errorf("%v: %q, error %v, want %q", tt.edits, *text, err, tt.want)
		}
	}
}

func TestExpressionsShareTheirPlaceholders(t *testing.T) {
	cond, e, err := condition(store.Eq("name", store.Int(1)))
	if err != nil {
		t.Fatal(err)
	}
	e.update([]store.Edit{store.Set("name", store.Int(2)), store.Set("other", store.Int(3))})
	changes, err := e.take()
	if err != nil || *cond != "#a=:a" || *changes != "SET #a=:b,#b=:c" {
		t.Errorf("%q, %q, error %v", *cond, *changes, err)
	}
	if len(e.names) != 2 || len(e.values) != 3 || e.names["#b"] != "other" {
		t.Errorf("names %v, values %v", e.names, e.values)
	}
}

func TestExpressionOverTheLimits(t *testing.T) {
	var long []store.Edit
	for i := range 600 {
		long = append(long, store.Set(fmt.Sprintf("name%d", i), store.Int(1)))
	}
	var complex store.Or
	for range 160 { // short, but each a comparison and an OR
		complex = append(complex, store.Exists("a"), store.Exists("b"))
	}
	for name, write := range map[string]func(e *expression){
		"text":      func(e *expression) { e.update(long) },
		"operators": func(e *expression) { e.condition(complex[:160], false) },
	} {
		var e expression
		write(&e)
		if text, err := e.take(); !errors.Is(err, store.ErrTooLarge) || text != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
	var e expression
	e.update(long[:400])
	if text, err := e.take(); err != nil || !strings.HasPrefix(*text, "SET ") {
		t.Errorf("400 edits: %v", err)
	}
}
