package command

import (
	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// JSON commands on whole documents as blind writes.

// wholeDocument is the compact text of a value that is to be put at a path, if that is the root, and the text
// fits into a head.
func wholeDocument(path, value string) (text string, ok bool) {
	p, err := jsondoc.ParsePath(path)
	if err != nil || !p.Root() {
		return "", false
	}
	v, err := jsondoc.Parse(value)
	if err != nil {
		return "", false
	}
	b := v.AppendTo(make([]byte, 0, len(value)))
	return string(b), len(b) <= keyspace.InlineString
}

func jsonSetDirect(d *Direct) *keyspace.Plan {
	condition, err := parseJSONCondition(d.Args[4:])
	if err != nil {
		return nil
	}
	text, ok := wholeDocument(d.Args[2], d.Args[3])
	if !ok {
		return nil
	}
	p := d.SetDocument(text, condition == setNX, condition == setXX)
	p.Reply = func(_ store.Attrs) { d.W.OK() }
	return p
}

func jsonMSetDirect(d *Direct) *keyspace.Plan {
	if len(d.Args)%3 != 1 || len(d.Args)/3 > store.MaxCommitOps {
		return nil
	}
	last := make(map[string]string, len(d.Args)/3) // of a key named twice, the last value counts
	for i := 1; i < len(d.Args); i += 3 {
		text, ok := wholeDocument(d.Args[i+1], d.Args[i+2])
		if !ok {
			return nil
		}
		last[d.Args[i]] = text
	}
	p := d.SetDocuments(last)
	if p != nil {
		p.Reply = func(_ store.Attrs) { d.W.OK() }
	}
	return p
}

func jsonDelDirect(d *Direct) *keyspace.Plan {
	if len(d.Args) > 3 || len(d.Args) == 3 && d.Args[2] != "$" && d.Args[2] != "." {
		return nil
	}
	p := d.DeleteDocument()
	p.Reply = func(old store.Attrs) { d.W.IntBool(old != nil) }
	return p
}
