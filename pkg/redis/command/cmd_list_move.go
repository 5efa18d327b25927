package command

import (
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// LPOS, LMOVE, RPOPLPUSH, LMPOP and the blocking forms.

// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
func lpos(c *Call) error {
	rank, count, maxlen := int64(1), int64(-1), int64(0)
	for i := 3; i < len(c.Args); i += 2 {
		if i+1 >= len(c.Args) {
			return ErrSyntax
		}
		n, ok := num.ParseInt(c.Args[i+1])
		switch {
		case c.Is(i, "rank"):
			switch {
			case !ok:
				return ErrNotInteger
			case n == 0:
				return Error("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
			case n == math.MinInt64:
				return Error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
			}
			rank = n
		case c.Is(i, "count"):
			if !ok || n < 0 {
				return Error("ERR COUNT can't be negative")
			}
			count = n
		case c.Is(i, "maxlen"):
			if !ok || n < 0 {
				return Error("ERR MAXLEN can't be negative")
			}
			maxlen = n
		default:
			return ErrSyntax
		}
	}
	l, err := c.Txn.List(c.Args[1])
	if err != nil {
		return err
	}
	found := findInList(l, c.Args[2], rank, max(count, 0), maxlen, count == -1)
	if count == -1 {
		if len(found) == 0 {
			c.W.Null()
		} else {
			c.W.Int(found[0])
		}
		return nil
	}
	c.W.Array(len(found))
	for _, i := range found {
		c.W.Int(i)
	}
	return nil
}

// findInList returns the indexes of an element: from the rank-th match on (from the end,
// if negative), up to count (0: all), among the first maxlen elements compared (0: all).
func findInList(l *keyspace.List, element string, rank, count, maxlen int64, first bool) []int64 {
	if first {
		count = 1
	}
	n := l.Len()
	var found []int64
	skip := rank - 1
	look := func(i int64, v string, seen int64) bool {
		if maxlen > 0 && seen >= maxlen {
			return false
		}
		if v == element {
			if skip > 0 {
				skip--
				return true
			}
			found = append(found, i)
			return count == 0 || int64(len(found)) < count
		}
		return true
	}
	if rank > 0 {
		i := int64(0)
		for v := range l.From(0, maxlen) {
			if !look(i, v, i) {
				break
			}
			i++
		}
		return found
	}
	skip = -rank - 1
	const run = 1000 // elements read at a time, from the end on
	for end := n; end > 0; end -= run {
		start := max(end-run, 0)
		part := l.Range(start, end-1)
		for j := len(part) - 1; j >= 0; j-- {
			i := start + int64(j)
			if !look(i, part[j], n-1-i) {
				return found
			}
		}
		if len(part) == 0 {
			break
		}
	}
	return found
}

// side parses LEFT or RIGHT.
func (c *Call) side(i int) (left bool, err error) {
	switch {
	case c.Is(i, "left"):
		return true, nil
	case c.Is(i, "right"):
		return false, nil
	}
	return false, ErrSyntax
}

// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
func lmove(c *Call) error {
	from, err := c.side(3)
	if err != nil {
		return err
	}
	to, err := c.side(4)
	if err != nil {
		return err
	}
	return c.moveElement(from, to, c.nothing)
}

// nothing ends a command that finds nothing and does not wait.
func (c *Call) nothing() error {
	c.W.Null()
	return nil
}

// RPOPLPUSH source destination
func rpoplpush(c *Call) error { return c.moveElement(false, true, c.nothing) }

// moveElement moves an element; none ends the command if there is none.
func (c *Call) moveElement(fromLeft, toLeft bool, none func() error) error {
	src, err := c.Txn.List(c.Args[1])
	if err != nil && !c.passesOver(err) {
		return err
	}
	if src == nil {
		return none()
	}
	dst, err := c.Txn.ListForUpdate(c.Args[2])
	if err != nil {
		return err
	}
	var popped []string
	if fromLeft {
		popped = src.PopLeft(1)
	} else {
		popped = src.PopRight(1)
	}
	if len(popped) == 0 {
		return none()
	}
	if toLeft {
		dst.PushLeft(popped[0])
	} else {
		dst.PushRight(popped[0])
	}
	c.event(pushEvent(toLeft), c.Args[2])
	c.event(popEvent(fromLeft), c.Args[1])
	c.W.Bulk(popped[0])
	return nil
}

func pushEvent(left bool) string {
	if left {
		return "lpush"
	}
	return "rpush"
}

func popEvent(left bool) string {
	if left {
		return "lpop"
	}
	return "rpop"
}

// LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]
func lmpop(c *Call) error {
	return c.popFirst(1, func() error {
		c.W.NullArray()
		return nil
	})
}

// popFirst is LMPOP with numkeys at argument i; none ends the command if there is nothing.
func (c *Call) popFirst(i int, none func() error) error {
	n, ok := num.ParseInt(c.Args[i])
	if !ok || n < 1 {
		return Error("ERR numkeys should be greater than 0")
	}
	where := i + 1 + int(min(n, int64(len(c.Args))))
	if where >= len(c.Args) {
		return ErrSyntax
	}
	left, err := c.side(where)
	if err != nil {
		return err
	}
	count := int64(1)
	for j := where + 1; j < len(c.Args); j += 2 {
		if !c.Is(j, "count") || j+1 >= len(c.Args) || j > where+1 {
			return ErrSyntax
		}
		if count, ok = num.ParseInt(c.Args[j+1]); !ok || count < 1 {
			return Error("ERR count should be greater than 0")
		}
	}
	for _, key := range c.Args[i+1 : where] {
		l, err := c.Txn.List(key)
		if err != nil && !c.passesOver(err) {
			return err
		}
		if l == nil {
			continue
		}
		c.Event = popEvent(left)
		c.W.Array(2)
		c.W.Bulk(key)
		if left {
			c.W.Strings(l.PopLeft(count))
		} else {
			c.W.Strings(l.PopRight(count))
		}
		return nil
	}
	return none()
}

// timeout parses a blocking command's timeout, in seconds.
func (c *Call) timeout(i int) (float64, error) {
	f, ok := num.ParseFloat(c.Args[i])
	switch {
	case !ok:
		return 0, errTimeout
	case f > math.MaxInt64/1000:
		return 0, Error("ERR timeout is out of range")
	case f < 0:
		return 0, errNegTimeout
	}
	return f, nil
}

// BLPOP key [key ...] timeout
func blpop(c *Call) error { return c.popAny((*keyspace.List).PopLeft) }

// BRPOP key [key ...] timeout
func brpop(c *Call) error { return c.popAny((*keyspace.List).PopRight) }

func (c *Call) popAny(where func(*keyspace.List, int64) []string) error {
	last := len(c.Args) - 1
	timeout, err := c.timeout(last)
	if err != nil {
		return err
	}
	for _, key := range c.Args[1:last] {
		l, err := c.Txn.List(key)
		if err != nil && !c.passesOver(err) {
			return err
		}
		if popped := where(l, 1); len(popped) > 0 {
			c.W.Strings([]string{key, popped[0]})
			return nil
		}
	}
	return c.block(timeout, c.W.NullArray)
}

// timedOut replies what a move that waited in vain does; in a transaction it does not wait, and
// replies what LMOVE does.
func (c *Call) timedOut() {
	if c.Multi {
		c.W.Null()
	} else {
		c.W.NullArray()
	}
}

// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
func blmove(c *Call) error {
	from, err := c.side(3)
	if err != nil {
		return err
	}
	to, err := c.side(4)
	if err != nil {
		return err
	}
	timeout, err := c.timeout(5)
	if err != nil {
		return err
	}
	return c.moveElement(from, to, func() error { return c.block(timeout, c.timedOut) })
}

// BRPOPLPUSH source destination timeout
func brpoplpush(c *Call) error {
	timeout, err := c.timeout(3)
	if err != nil {
		return err
	}
	return c.moveElement(false, true, func() error { return c.block(timeout, c.timedOut) })
}

// BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]
func blmpop(c *Call) error {
	timeout, err := c.timeout(1)
	if err != nil {
		return err
	}
	return c.popFirst(2, func() error { return c.block(timeout, c.W.NullArray) })
}
