package command

import (
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// ZPOPMIN, ZPOPMAX, ZMPOP, and the blocking BZPOPMIN, BZPOPMAX, BZMPOP, which wait, see
// Call.block.

const (
	errNumkeysPositive Error = "ERR numkeys should be greater than 0"
	errCountPositive   Error = "ERR count should be greater than 0"
)

func zsetPopCommands() []*Command {
	return []*Command{
		{Name: "zpopmin", Arity: -2, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Event: "zpopmin", Group: "sorted-set", Since: "5.0.0", Summary: "Removes and returns the members with the lowest scores.", Run: zpopmin},
		{Name: "zpopmax", Arity: -2, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Event: "zpopmax", Group: "sorted-set", Since: "5.0.0", Summary: "Removes and returns the members with the highest scores.", Run: zpopmax},
		{Name: "zmpop", Arity: -4, Flags: Write | Movable, Keys: KeySpec{Numkeys: 1}, Use: "RW access delete", Group: "sorted-set", Since: "7.0.0", Summary: "Removes and returns members of the first sorted set that has any.", Run: zmpop},
		{Name: "bzpopmin", Arity: -3, Flags: Write | Fast | Blocking, Keys: KeySpec{First: 1, Last: -2, Step: 1}, Use: "RW access delete", Event: "zpopmin", Group: "sorted-set", Since: "5.0.0", Summary: "ZPOPMIN of the first sorted set that has members; waits for members.", Run: bzpopmin},
		{Name: "bzpopmax", Arity: -3, Flags: Write | Fast | Blocking, Keys: KeySpec{First: 1, Last: -2, Step: 1}, Use: "RW access delete", Event: "zpopmax", Group: "sorted-set", Since: "5.0.0", Summary: "ZPOPMAX of the first sorted set that has members; waits for members.", Run: bzpopmax},
		{Name: "bzmpop", Arity: -5, Flags: Write | Blocking | Movable, Keys: KeySpec{Numkeys: 2}, Use: "RW access delete", Group: "sorted-set", Since: "7.0.0", Summary: "ZMPOP; waits for members.", Run: bzmpop},
	}
}

// ZPOPMIN key [count]
func zpopmin(c *Call) error { return c.popScores(false) }

// ZPOPMAX key [count]
func zpopmax(c *Call) error { return c.popScores(true) }

func (c *Call) popScores(highest bool) error {
	count := int64(1)
	switch len(c.Args) {
	case 2:
	case 3:
		var ok bool
		if count, ok = num.ParseInt(c.Args[2]); !ok || count < 0 {
			return errNotPositive
		}
	default:
		return ErrSyntax
	}
	z, err := c.Txn.ZSet(c.Args[1])
	if err != nil {
		return err
	}
	popped := z.PopEnd(count, highest)
	if len(c.Args) == 2 {
		c.W.Array(2 * len(popped))
	} else {
		c.W.Pairs(len(popped))
	}
	for _, m := range popped {
		c.W.Bulk(m.Name)
		c.W.Double(m.Score)
	}
	return nil
}

// firstZSet is the first of the keys that exists.
func (c *Call) firstZSet(keys []string) (string, *keyspace.ZSet, error) {
	for _, key := range keys {
		z, err := c.Txn.ZSet(key)
		if c.passesOver(err) {
			continue
		}
		if z.Len() > 0 || err != nil {
			return key, z, err
		}
	}
	return "", nil, nil
}

// ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]
func zmpop(c *Call) error { return c.popFirstZSet(1) }

// BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]
func bzmpop(c *Call) error { return c.popFirstZSet(2) }

// popFirstZSet is ZMPOP with numkeys at argument i; a timeout may come before it.
func (c *Call) popFirstZSet(i int) error {
	numkeys, ok := num.ParseInt(c.Args[i])
	if !ok || numkeys < 1 {
		return errNumkeysPositive
	}
	if numkeys >= int64(len(c.Args)-i-1) {
		return ErrSyntax
	}
	keys := c.Args[i+1 : i+1+int(numkeys)]
	i += 1 + int(numkeys)
	highest := c.Is(i, "max")
	if !highest && !c.Is(i, "min") {
		return ErrSyntax
	}
	count := int64(-1)
	for i++; i < len(c.Args); i++ {
		if count != -1 || !c.Is(i, "count") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		i++
		if count, ok = num.ParseInt(c.Args[i]); !ok || count < 1 {
			return errCountPositive
		}
	}
	timeout := 0.0
	if c.Command.Has(Blocking) {
		var err error
		if timeout, err = c.timeout(1); err != nil {
			return err
		}
	}
	key, z, err := c.firstZSet(keys)
	if err != nil {
		return err
	}
	switch {
	case z == nil && c.Command.Has(Blocking):
		return c.block(timeout, c.W.NullArray)
	case z == nil:
		c.W.NullArray()
		return nil
	}
	c.Event = "zpopmin"
	if highest {
		c.Event = "zpopmax"
	}
	popped := z.PopEnd(max(count, 1), highest)
	c.W.Array(2)
	c.W.Bulk(key)
	c.W.Array(len(popped))
	for _, m := range popped {
		c.W.Array(2)
		c.W.Bulk(m.Name)
		c.W.Double(m.Score)
	}
	return nil
}

// BZPOPMIN key [key ...] timeout
func bzpopmin(c *Call) error { return c.popAnyZSet(false) }

// BZPOPMAX key [key ...] timeout
func bzpopmax(c *Call) error { return c.popAnyZSet(true) }

func (c *Call) popAnyZSet(highest bool) error {
	last := len(c.Args) - 1
	timeout, err := c.timeout(last)
	if err != nil {
		return err
	}
	key, z, err := c.firstZSet(c.Args[1:last])
	if err != nil {
		return err
	}
	popped := z.PopEnd(1, highest)
	if len(popped) == 0 {
		return c.block(timeout, c.W.NullArray)
	}
	c.W.Array(3)
	c.W.Bulk(key)
	c.W.Bulk(popped[0].Name)
	c.W.Double(popped[0].Score)
	return nil
}
