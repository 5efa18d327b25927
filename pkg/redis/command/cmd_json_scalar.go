package command

import (
	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
)

// JSON.NUMINCRBY, JSON.NUMMULTBY, JSON.NUMPOWBY, JSON.STRAPPEND, JSON.STRLEN, JSON.TOGGLE.

func jsonScalarCommands() []*Command {
	return []*Command{
		{Name: "json.numincrby", Arity: 4, Flags: Write, Keys: OneKey, Event: "json.numincrby", Group: "json", Since: "1.0.0", Summary: "Adds to the numbers at a path of a JSON document.", Run: jsonNumber(jsondoc.Add)},
		{Name: "json.nummultby", Arity: 4, Flags: Write, Keys: OneKey, Event: "json.nummultby", Group: "json", Since: "1.0.0", Summary: "Multiplies the numbers at a path of a JSON document.", Run: jsonNumber(jsondoc.Mul)},
		{Name: "json.numpowby", Arity: 4, Flags: Write, Keys: OneKey, Event: "json.numpowby", Group: "json", Since: "1.0.0", Summary: "Raises the numbers at a path of a JSON document to a power.", Run: jsonNumber(jsondoc.Pow)},
		{Name: "json.strappend", Arity: -3, Flags: Write | DenyOOM, Keys: OneKey, Event: "json.strappend", Group: "json", Since: "1.0.0", Summary: "Appends to the strings at a path of a JSON document.", Run: jsonStrAppend},
		{Name: "json.strlen", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns the lengths of the strings at a path of a JSON document.", Run: jsonStrLen},
		{Name: "json.toggle", Arity: 3, Flags: Write, Keys: OneKey, Event: "json.toggle", Group: "json", Since: "2.0.0", Summary: "Negates the booleans at a path of a JSON document.", Run: jsonToggle},
	}
}

// JSON.NUMINCRBY key path value
// JSON.NUMMULTBY key path value
// JSON.NUMPOWBY key path value
//
// The reply is JSON: an array with a number or null for each match, or a number for a legacy path.
func jsonNumber(op jsondoc.NumOp) func(c *Call) error {
	return func(c *Call) error {
		path, err := c.jsonPath(2)
		if err != nil {
			return err
		}
		by, err := c.jsonValue(3)
		if err != nil {
			return err
		}
		if by.Kind() != jsondoc.Number {
			return Error("ERR bad input number")
		}
		doc, matches, err := c.toChange(path)
		if err != nil {
			return err
		}
		results := make([]jsondoc.Match, len(matches)) // nothing changes if one of them cannot be calculated
		numbers := make([]jsondoc.Value, len(matches))
		last := -1
		for i, m := range matches {
			results[i].Value = &numbers[i]
			if m.Value.Kind() != jsondoc.Number {
				continue
			}
			if numbers[i], err = op.Do(m.Value, &by); err != nil {
				return jsonError(err)
			}
			last = i
		}
		if path.Legacy && last < 0 {
			return errNoPathOr("does not contains a number")
		}
		for i, m := range matches {
			if numbers[i].Kind() == jsondoc.Number {
				*m.Value = numbers[i]
			}
		}
		if last >= 0 {
			if err := c.Txn.SetJSON(c.Args[1], doc); err != nil {
				return err
			}
		}
		if path.Legacy {
			c.W.Bulk(numbers[last].Text())
			return nil
		}
		c.W.Bulk(string(jsondoc.AppendMatches(nil, jsondoc.Format{Limit: c.Host.MaxReply}, 0, results)))
		return nil
	}
}

// jsonChange is a command that changes all matches of one type, each by itself.
type jsonChange struct {
	kind jsondoc.Kind
	what string // a legacy path without such a match "does not exist or" is this

	grows  int                         // bytes by which each match may grow
	holds  int64                       // bytes of memory that it takes then
	check  func(m jsondoc.Match) error // optional: whether a match can be changed
	change func(v *jsondoc.Value)      // changes a match and writes its reply
}

// change carries out a jsonChange. A $ path replies for each match, with nil for those of other
// types, a legacy path for the last one.
func (c *Call) change(path *jsondoc.Path, ch jsonChange) error {
	doc, matches, err := c.toChange(path)
	if err != nil {
		return err
	}
	n := 0
	for _, m := range matches {
		if m.Value.Kind() != ch.kind {
			continue
		}
		if n++; ch.check != nil {
			if err := ch.check(m); err != nil {
				return err
			}
		}
	}
	if path.Legacy && n == 0 {
		return errNoPathOr(ch.what)
	}
	if err := c.Txn.JSONFits(c.Args[1], n, ch.grows, ch.holds); err != nil {
		return err
	}
	mark := c.W.Mark()
	if !path.Legacy {
		c.W.Array(len(matches))
	}
	for _, m := range matches {
		switch {
		case m.Value.Kind() != ch.kind && path.Legacy:
		case m.Value.Kind() != ch.kind:
			c.W.Null()
		default:
			if path.Legacy {
				c.W.Truncate(mark)
			}
			ch.change(m.Value)
		}
	}
	if n == 0 {
		return nil
	}
	return c.Txn.SetJSON(c.Args[1], doc)
}

// JSON.STRAPPEND key [path] value
func jsonStrAppend(c *Call) error {
	if err := c.atMost(4); err != nil {
		return err
	}
	at, last := 2, len(c.Args)-1
	if last == at {
		at = len(c.Args) // there is no path
	}
	path, err := c.jsonPath(at)
	if err != nil {
		return err
	}
	suffix, err := c.jsonValue(last)
	if err != nil {
		return err
	}
	if suffix.Kind() != jsondoc.String {
		return errPathType("string")
	}
	return c.change(path, jsonChange{kind: jsondoc.String, what: "not a string", grows: len(c.Args[last]), change: func(v *jsondoc.Value) {
		*v = jsondoc.NewString(v.Text() + suffix.Text())
		c.W.Int(int64(len(v.Text())))
	}})
}

// JSON.STRLEN key [path]
//
// Lengths are in bytes of UTF-8.
func jsonStrLen(c *Call) error {
	return c.inspect(2, jsonInspection{
		kind: jsondoc.String, noKey: errNoDocument, noPath: errNoPath, wrongType: errPathType("string"),
		reply: func(v *jsondoc.Value) { c.W.Int(int64(len(v.Text()))) },
	})
}

// JSON.TOGGLE key path
//
// A legacy path replies true or false, a $ path 1 or 0.
func jsonToggle(c *Call) error {
	path, err := c.jsonPath(2)
	if err != nil {
		return err
	}
	return c.change(path, jsonChange{kind: jsondoc.Bool, what: "not a bool", change: func(v *jsondoc.Value) {
		*v = jsondoc.NewBool(!v.True())
		if path.Legacy {
			c.W.Bulk(v.Text())
		} else {
			c.W.IntBool(v.True())
		}
	}})
}
