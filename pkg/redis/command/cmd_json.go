package command

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// JSON.GET, JSON.MGET, JSON.TYPE, JSON.RESP, JSON.DEBUG;
// cmd_json_write.go: JSON.SET, JSON.MSET, JSON.MERGE, JSON.DEL, JSON.FORGET, JSON.CLEAR;
// cmd_json_direct.go: those that can be blind writes;
// cmd_json_scalar.go: JSON.NUMINCRBY, JSON.NUMMULTBY, JSON.NUMPOWBY, JSON.STRAPPEND, JSON.STRLEN, JSON.TOGGLE;
// cmd_json_container.go: JSON.OBJKEYS, JSON.OBJLEN, JSON.ARRAPPEND, JSON.ARRINDEX, JSON.ARRINSERT, JSON.ARRLEN,
// JSON.ARRPOP, JSON.ARRTRIM.
//
// They follow RedisJSON 2.8, but for the order of matches (see package jsondoc). A path that begins
// with $ means all its matches, and the reply has a part for each; another one, a legacy path, means the
// first, or when writing replies what became of the last one.

func jsonCommands() []*Command {
	cmds := []*Command{
		{Name: "json.get", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns the values at paths of a JSON document.", Run: jsonGet},
		{Name: "json.mget", Arity: -3, Flags: ReadOnly, Keys: KeySpec{First: 1, Last: -2, Step: 1}, Group: "json", Since: "1.0.0", Summary: "Returns the values at a path of several JSON documents.", Run: jsonMGet},
		{Name: "json.set", Arity: -4, Flags: Write | DenyOOM, Keys: OneKey, Event: "json.set", Group: "json", Since: "1.0.0", Summary: "Sets the values at a path of a JSON document.", Run: jsonSet, Direct: jsonSetDirect},
		{Name: "json.mset", Arity: -4, Flags: Write | DenyOOM, Keys: KeySpec{First: 1, Last: -1, Step: 3}, Event: "json.mset", Group: "json", Since: "2.6.0", Summary: "Sets values in several JSON documents.", Run: jsonMSet, Direct: jsonMSetDirect},
		{Name: "json.merge", Arity: 4, Flags: Write | DenyOOM, Keys: OneKey, Event: "json.merge", Group: "json", Since: "2.6.0", Summary: "Merges a value into those at a path of a JSON document.", Run: jsonMerge},
		{Name: "json.del", Arity: -2, Flags: Write, Keys: OneKey, Event: "json.del", Group: "json", Since: "1.0.0", Summary: "Deletes the values at a path of a JSON document.", Run: jsonDel, Direct: jsonDelDirect},
		{Name: "json.forget", Arity: -2, Flags: Write, Keys: OneKey, Event: "json.del", Group: "json", Since: "1.0.0", Summary: "Deletes the values at a path of a JSON document.", Run: jsonDel, Direct: jsonDelDirect},
		{Name: "json.clear", Arity: -2, Flags: Write, Keys: OneKey, Event: "json.clear", Group: "json", Since: "2.0.0", Summary: "Empties containers and sets numbers to 0 at a path of a JSON document.", Run: jsonClear},
		{Name: "json.type", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns the types of the values at a path of a JSON document.", Run: jsonType},
		{Name: "json.resp", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns the values at a path of a JSON document as Redis replies.", Run: jsonResp},
		{Name: "json.debug", Arity: -2, Group: "json", Since: "1.0.0", Summary: "Estimates what the values at a path of a JSON document take.", Subcommands: Subcommands(
			&Command{Name: "memory", Arity: -3, Flags: ReadOnly, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Group: "json", Since: "1.0.0", Summary: "Estimates the bytes that the values at a path take.", Run: jsonDebugMemory},
			&Command{Name: "help", Arity: -2, Flags: Harmless, Group: "json", Since: "1.0.0", Summary: "Lists the subcommands.", Run: jsonDebugHelp},
		)},
	}
	cmds = append(cmds, jsonScalarCommands()...)
	return append(cmds, jsonContainerCommands()...)
}

const (
	errNoDocument Error = "ERR could not perform this operation on a key that doesn't exist"
	errNoPath     Error = "ERR Path does not exist"
	errNewAtRoot  Error = "ERR new objects must be created at the root"
	errNotStatic  Error = "ERR wrong static path"
	errElement    Error = "ERR array index out of range"
)

// errNoPathOr says what else a legacy path may lack.
func errNoPathOr(what string) Error { return errNoPath + " or " + Error(what) }

// errPathType is the reply for a value of the wrong type at a legacy path.
func errPathType(want string) Error {
	return Error("WRONGTYPE wrong type of path value - expected " + want)
}

// jsonError is the reply for an error of package jsondoc. Those of grammar are worded as
// the service we imitate words them, which is as encoding/json does.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return Error(err.Error())
	}
	return Error("ERR " + err.Error())
}

// jsonValue parses argument i.
func (c *Call) jsonValue(i int) (jsondoc.Value, error) {
	if c.Txn.SpendParsing(c.Args[i]); c.Txn.Err() != nil {
		return jsondoc.Value{}, c.Txn.Err()
	}
	v, err := jsondoc.Parse(c.Args[i])
	return v, jsonError(err)
}

// jsonPath parses argument i. If there is none, it is the root, as a legacy path.
func (c *Call) jsonPath(i int) (*jsondoc.Path, error) {
	if i >= len(c.Args) {
		return &jsondoc.Path{Text: ".", Legacy: true}, nil
	}
	p, err := jsondoc.ParsePath(c.Args[i])
	return p, jsonError(err)
}

// atMost checks that there are no more than n arguments, with the command's name.
func (c *Call) atMost(n int) error {
	if len(c.Args) > n {
		return errArity(c.Command.FullName(c.Args))
	}
	return nil
}

// lastPath parses argument i, behind which there must be nothing more.
func (c *Call) lastPath(i int) (*jsondoc.Path, error) {
	if err := c.atMost(i + 1); err != nil {
		return nil, err
	}
	return c.jsonPath(i)
}

// toChange returns the document at the key that is argument 1, which must be there, and what a
// path matches in it.
func (c *Call) toChange(path *jsondoc.Path) (*jsondoc.Value, []jsondoc.Match, error) {
	doc, err := c.Txn.JSON(c.Args[1])
	if doc == nil && err == nil {
		err = errNoDocument
	}
	if err != nil {
		return nil, nil, err
	}
	matches, err := path.SelectDistinct(doc, c.Txn)
	return doc, matches, jsonError(err)
}

// JSON.GET key [INDENT indent] [NEWLINE newline] [SPACE space] [path ...]
func jsonGet(c *Call) error {
	paths, f, err := c.parseJSONGet()
	if err != nil {
		return err
	}
	d, err := c.Txn.Document(c.Args[1])
	if err != nil {
		return err
	}
	if d == nil {
		c.W.Null()
		return nil
	}
	if len(paths) == 1 {
		text, ok, err := c.jsonText(d, paths[0], f)
		if !ok && err == nil {
			err = errNoPath
		}
		if err == nil {
			c.W.Bulk(text)
		}
		return err
	}
	text, err := c.jsonTexts(d, paths, f)
	if err != nil {
		return err
	}
	c.W.Bulk(text)
	return nil
}

// parseJSONGet reads the paths of JSON.GET and its options.
func (c *Call) parseJSONGet() (paths []*jsondoc.Path, f jsondoc.Format, err error) {
	for i := 2; i < len(c.Args); i++ {
		var option *string
		switch {
		case c.Is(i, "indent"):
			option = &f.Indent
		case c.Is(i, "newline"):
			option = &f.Newline
		case c.Is(i, "space"):
			option = &f.Space
		case c.Is(i, "noescape"):
			continue // of old clients; nothing is escaped that need not be
		default:
			p, err := c.jsonPath(i)
			if err != nil {
				return nil, f, err
			}
			paths = append(paths, p)
			continue
		}
		if i++; i == len(c.Args) {
			return nil, f, errArity(c.Args[0])
		}
		*option = c.Args[i]
	}
	if len(paths) == 0 {
		root, _ := c.jsonPath(len(c.Args))
		paths = append(paths, root)
	}
	return paths, f, nil
}

// jsonText is the JSON text of what matches: an array, or for a legacy path the first
// match; not ok if there is none.
func (c *Call) jsonText(d *keyspace.Document, p *jsondoc.Path, f jsondoc.Format) (text string, ok bool, err error) {
	if p.Root() && f == (jsondoc.Format{}) {
		if limit := c.Host.MaxReply; d.Len() > int64(limit) {
			return "", false, ErrReplySize(limit, int(d.Len()))
		}
		if text = d.Text(); !p.Legacy {
			text = "[" + text + "]"
		}
		return text, true, nil
	}
	f.Limit = c.Host.MaxReply
	b, ok, err := appendMatches(nil, c.Txn, d.Value(), p, f, 0)
	return string(b), ok, err
}

func appendMatches(b []byte, budget jsondoc.Budget, doc *jsondoc.Value, p *jsondoc.Path, f jsondoc.Format, level int) ([]byte, bool, error) {
	if p.Legacy {
		v, err := p.First(doc, budget)
		if v == nil || err != nil {
			return b, false, jsonError(err)
		}
		return v.AppendAt(b, f, level), true, nil
	}
	matches, err := p.Select(doc, budget)
	if err != nil {
		return b, false, jsonError(err)
	}
	return jsondoc.AppendMatches(b, f, level, matches), true, nil
}

// jsonTexts is the JSON text of an object that has what matches for each path, once. The
// paths are legacy ones only if all of them are.
func (c *Call) jsonTexts(d *keyspace.Document, paths []*jsondoc.Path, f jsondoc.Format) (string, error) {
	legacy := true
	seen := make(map[string]bool, len(paths))
	paths = slices.DeleteFunc(paths, func(p *jsondoc.Path) bool {
		repeated := seen[p.Text]
		seen[p.Text] = true
		return repeated
	})
	names := make([]string, len(paths))
	for i, p := range paths {
		legacy = legacy && p.Legacy
		names[i] = p.Text
	}
	f.Limit = c.Host.MaxReply
	doc := d.Value()
	var err error
	b := jsondoc.AppendByPath(nil, f, names, func(b []byte, i int) []byte {
		if err != nil {
			return b
		}
		p := *paths[i]
		p.Legacy = legacy
		var ok bool
		if b, ok, err = appendMatches(b, c.Txn, doc, &p, f, 1); !ok && err == nil {
			err = errNoPath
		}
		return b
	})
	return string(b), err
}

// JSON.MGET key [key ...] path
//
// What cannot be read is nil: no such key or path, another type, no valid path.
func jsonMGet(c *Call) error {
	last := len(c.Args) - 1
	p, perr := c.jsonPath(last)
	c.W.Array(last - 1)
	mark := c.W.Mark()
	for _, key := range c.Args[1:last] {
		d, err := c.Txn.Document(key)
		if d == nil || err != nil || perr != nil {
			c.W.Null()
			continue
		}
		text, ok, err := c.jsonText(d, p, jsondoc.Format{})
		if err != nil {
			return err
		}
		c.W.BulkOrNull(text, ok)
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	return nil
}

// jsonInspection is a command that replies something about all matches of a type.
type jsonInspection struct {
	kind  jsondoc.Kind
	all   bool // of all types
	reply func(v *jsondoc.Value)

	// Replies in other cases; none: nil.
	noKey       Error // a $ path, and no such key
	noLegacyKey Error // a legacy path, and no such key
	noPath      Error // a legacy path that matches nothing
	wrongType   Error // a legacy path whose match is of another type
}

// inspect carries out a jsonInspection with the path that is argument i, the last one.
func (c *Call) inspect(i int, in jsonInspection) error {
	path, err := c.lastPath(i)
	if err != nil {
		return err
	}
	return c.inspectPath(path, i-1, in)
}

// inspectPath carries out a jsonInspection of the key that is argument key.
func (c *Call) inspectPath(path *jsondoc.Path, key int, in jsonInspection) error {
	doc, err := c.Txn.JSON(c.Args[key])
	switch {
	case err != nil:
		return err
	case doc == nil && path.Legacy:
		return c.nullOr(in.noLegacyKey)
	case doc == nil:
		return c.nullOr(in.noKey)
	case path.Legacy:
		v, err := path.First(doc, c.Txn)
		switch {
		case err != nil:
			return jsonError(err)
		case v == nil:
			return c.nullOr(in.noPath)
		case !in.all && v.Kind() != in.kind:
			return c.nullOr(in.wrongType)
		}
		in.reply(v)
		return nil
	}
	matches, err := path.Select(doc, c.Txn)
	if err != nil {
		return jsonError(err)
	}
	mark := c.W.Mark()
	c.W.Array(len(matches))
	for _, m := range matches {
		if in.all || m.Value.Kind() == in.kind {
			in.reply(m.Value)
		} else {
			c.W.Null()
		}
		if err := c.bounded(mark); err != nil {
			return err
		}
	}
	return nil
}

// nullOr replies nil, unless there is an error.
func (c *Call) nullOr(err Error) error {
	if err != "" {
		return err
	}
	c.W.Null()
	return nil
}

// JSON.TYPE key [path]
func jsonType(c *Call) error {
	return c.inspect(2, jsonInspection{all: true, reply: func(v *jsondoc.Value) { c.W.Bulk(v.TypeName()) }})
}

// JSON.RESP key [path]
func jsonResp(c *Call) error {
	return c.inspect(2, jsonInspection{all: true, noPath: errNoPath, reply: func(v *jsondoc.Value) { replyJSON(c.W, v) }})
}

// replyJSON writes a value in the types of RESP: an array begins with [, an object with { and has names and values
// in turn.
func replyJSON(w *resp.Writer, v *jsondoc.Value) {
	switch v.Kind() {
	case jsondoc.Null:
		w.Null()
	case jsondoc.Bool:
		w.Simple(v.Text())
	case jsondoc.Number:
		if n, ok := num.ParseInt(v.Text()); ok {
			w.Int(n)
		} else {
			w.Bulk(v.Text())
		}
	case jsondoc.String:
		w.Bulk(v.Text())
	case jsondoc.Array:
		w.Array(1 + v.Len())
		w.Simple("[")
		elems := v.Elements()
		for i := range elems {
			replyJSON(w, &elems[i])
		}
	case jsondoc.Object:
		w.Array(1 + 2*v.Len())
		w.Simple("{")
		for name, m := range v.Members() {
			w.Bulk(name)
			replyJSON(w, m)
		}
	}
}

// JSON.DEBUG MEMORY key [path]
func jsonDebugMemory(c *Call) error {
	doc, err := c.Txn.JSON(c.Args[2])
	if doc == nil && err == nil {
		path, err := c.jsonPath(3)
		switch {
		case err != nil:
			return err
		case path.Legacy:
			c.W.Int(0)
		default:
			c.W.Array(0)
		}
		return nil
	}
	return c.inspect(3, jsonInspection{all: true, noPath: errNoPath, reply: func(v *jsondoc.Value) { c.W.Int(v.Size()) }})
}

// JSON.DEBUG HELP
func jsonDebugHelp(c *Call) error {
	c.W.Strings([]string{"MEMORY <key> [path] - reports memory usage", "HELP                - this message"})
	return nil
}
