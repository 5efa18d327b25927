package command

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// JSON.SET, JSON.MSET, JSON.MERGE, JSON.DEL, JSON.FORGET, JSON.CLEAR.

// JSON.SET key path value [NX | XX]
func jsonSet(c *Call) error {
	cond, err := parseJSONCondition(c.Args[4:])
	if err != nil {
		return err
	}
	w := replaceJSON
	w.cond = cond
	return c.writeJSON(w)
}

// parseJSONCondition reads the options of JSON.SET.
func parseJSONCondition(args []string) (setCond, error) {
	cond := setAlways
	for _, arg := range args {
		switch {
		case cond != setAlways:
			return cond, ErrSyntax
		case strings.EqualFold(arg, "nx"):
			cond = setNX
		case strings.EqualFold(arg, "xx"):
			cond = setXX
		default:
			return cond, ErrSyntax
		}
	}
	return cond, nil
}

// JSON.MERGE key path value
func jsonMerge(c *Call) error {
	return c.writeJSON(jsonWrite{put: (*jsondoc.Value).Merge})
}

// jsonWrite is how a command puts a value at a path.
type jsonWrite struct {
	cond  setCond
	whole bool // what was there before does not matter
	put   func(at, v *jsondoc.Value)
}

var replaceJSON = jsonWrite{whole: true, put: func(at, v *jsondoc.Value) { *at = v.Clone() }}

// writeJSON puts the value that is argument 3 at the path that is argument 2 of the key that is argument 1, and
// replies whether it did.
func (c *Call) writeJSON(w jsonWrite) error {
	path, err := c.jsonPath(2)
	if err != nil {
		return err
	}
	value, err := c.jsonValue(3)
	if err != nil {
		return err
	}
	d, err := c.Txn.Document(c.Args[1])
	if err != nil {
		return err
	}
	switch {
	case d == nil && w.cond == setXX, d != nil && path.Root() && w.cond == setNX:
	case d == nil && !path.Root():
		return errNewAtRoot
	default:
		doc := w.document(d, path)
		put, n, err := w.plan(c.Txn, doc, path, &value)
		if err == nil {
			err = c.Txn.JSONFits(c.Args[1], n, len(c.Args[3]), value.Size())
		}
		if err != nil {
			return err
		}
		if put == nil {
			break
		}
		put()
		if err := c.Txn.SetJSON(c.Args[1], doc); err != nil {
			return err
		}
		c.W.OK()
		return nil
	}
	c.W.Null()
	return nil
}

// document is the document that is changed. If all of it is going to be replaced, or there
// is none, it is a new one.
func (w jsonWrite) document(d *keyspace.Document, path *jsondoc.Path) *jsondoc.Value {
	if d == nil || path.Root() && w.whole {
		return new(jsondoc.Value)
	}
	return d.Value()
}

// plan returns what puts a value at all matches or, if there are none, makes it a new member of
// the object that is the path's parent, and how many copies that makes. It returns nil if a condition does not hold.
func (w jsonWrite) plan(b jsondoc.Budget, doc *jsondoc.Value, path *jsondoc.Path, value *jsondoc.Value) (put func(), copies int, err error) {
	if path.Root() {
		return func() { w.put(doc, value) }, 1, nil
	}
	if w.cond != setNX {
		matches, err := path.SelectDistinct(doc, b)
		if err != nil {
			return nil, 0, jsonError(err)
		}
		for _, m := range matches {
			if m.Depth+value.Depth() >= jsondoc.MaxDepth {
				return nil, 0, jsonError(jsondoc.ErrDepth)
			}
		}
		if len(matches) > 0 {
			return func() {
				for _, m := range matches {
					w.put(m.Value, value)
				}
			}, len(matches), nil
		}
		if w.cond == setXX {
			return nil, 0, nil
		}
	}
	if !path.Static() {
		return nil, 0, errNotStatic
	}
	parent, name, ok := path.Split()
	if !ok {
		if v, err := path.First(doc, b); v != nil || err != nil {
			return nil, 0, jsonError(err)
		}
		return nil, 0, errElement
	}
	at, err := parent.Select(doc, b)
	switch {
	case err != nil:
		return nil, 0, jsonError(err)
	case len(at) == 0 || at[0].Value.Kind() != jsondoc.Object:
		// RedisJSON replies null, as for a condition that does not hold: the caller would not notice that nothing was written.
		return nil, 0, errNoPath
	case at[0].Value.Member(name) != nil:
		return nil, 0, nil
	}
	if at[0].Depth+1+value.Depth() >= jsondoc.MaxDepth {
		return nil, 0, jsonError(jsondoc.ErrDepth)
	}
	return func() {
		var added jsondoc.Value
		w.put(&added, value)
		at[0].Value.SetMember(name, added)
	}, 1, nil
}

// JSON.MSET key path value [key path value ...]
//
// All is checked before anything is written; what by then cannot be written any more, because the
// same command has changed the document, is left out.
func jsonMSet(c *Call) error {
	if len(c.Args)%3 != 1 {
		return errArity(c.Args[0])
	}
	w := replaceJSON
	n := len(c.Args) / 3
	paths, values := make([]*jsondoc.Path, n), make([]jsondoc.Value, n)
	docs := make(map[string]*jsondoc.Value, n)
	size := int64(0) // of all copies of values
	for i := range n {
		key, err := c.Args[1+3*i], error(nil)
		if paths[i], err = c.jsonPath(2 + 3*i); err != nil {
			return err
		}
		if values[i], err = c.jsonValue(3 + 3*i); err != nil {
			return err
		}
		d, err := c.Txn.Document(key)
		if err != nil {
			return err
		}
		if d == nil && !paths[i].Root() {
			return errNewAtRoot
		}
		doc := w.document(d, paths[i])
		_, copies, err := w.plan(c.Txn, doc, paths[i], &values[i])
		if err != nil {
			return err
		}
		if size += int64(copies) * int64(len(c.Args[3+3*i])); size > keyspace.MaxRecord {
			return keyspace.ErrRecordSize(size)
		}
		if docs[key] == nil {
			docs[key] = doc
		}
	}
	for i := range n {
		if put, _, _ := w.plan(c.Txn, docs[c.Args[1+3*i]], paths[i], &values[i]); put != nil {
			put()
		}
	}
	if err := c.Txn.SetAllJSON(docs); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

// JSON.DEL key [path]
// JSON.FORGET key [path]
func jsonDel(c *Call) error {
	path, err := c.lastPath(2)
	if err != nil {
		return err
	}
	doc, err := c.Txn.JSON(c.Args[1])
	if err != nil {
		return err
	}
	n := 0
	switch {
	case doc == nil:
	case path.Root():
		c.Txn.Delete(c.Args[1])
		c.event("json.del", c.Args[1])
		n = 1
	default:
		matches, err := path.Select(doc, c.Txn)
		if err != nil {
			return jsonError(err)
		}
		if n = jsondoc.Delete(doc, matches); n > 0 {
			if err := c.Txn.SetJSON(c.Args[1], doc); err != nil {
				return err
			}
		}
	}
	c.W.Int(int64(n))
	return nil
}

// JSON.CLEAR key [path]
func jsonClear(c *Call) error {
	path, err := c.lastPath(2)
	if err != nil {
		return err
	}
	doc, matches, err := c.toChange(path)
	if err != nil {
		return err
	}
	n := 0
	for _, m := range matches {
		if m.Value.Clear() {
			n++
		}
	}
	if n > 0 {
		if err := c.Txn.SetJSON(c.Args[1], doc); err != nil {
			return err
		}
	}
	c.W.Int(int64(n))
	return nil
}
