package redis

import (
	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/resp"
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
	return string(b), len(b) <= inlineString
}

func jsonSetDirect(d *direct) *plan {
	condition, err := parseJSONCondition(d.args[4:])
	if err != nil {
		return nil
	}
	text, ok := wholeDocument(d.args[2], d.args[3])
	if !ok {
		return nil
	}
	p := d.SetDocument(text, condition == setNX, condition == setXX)
	p.reply = func(_ store.Attrs, w *resp.Writer) { w.OK() }
	return p
}

func jsonMSetDirect(d *direct) *plan {
	if len(d.args)%3 != 1 || len(d.args)/3 > store.MaxCommitOps {
		return nil
	}
	last := make(map[string]string, len(d.args)/3) // of a key named twice, the last value counts
	for i := 1; i < len(d.args); i += 3 {
		text, ok := wholeDocument(d.args[i+1], d.args[i+2])
		if !ok {
			return nil
		}
		last[d.args[i]] = text
	}
	p := d.SetDocuments(last)
	if p != nil {
		p.reply = func(_ store.Attrs, w *resp.Writer) { w.OK() }
	}
	return p
}

func jsonDelDirect(d *direct) *plan {
	if len(d.args) > 3 || len(d.args) == 3 && d.args[2] != "$" && d.args[2] != "." {
		return nil
	}
	p := d.DeleteDocument()
	p.reply = func(old store.Attrs, w *resp.Writer) { w.IntBool(old != nil) }
	return p
}
