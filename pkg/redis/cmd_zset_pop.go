package redis

import "github.com/skystash/skystash/pkg/redis/internal/num"

// ZPOPMIN, ZPOPMAX, ZMPOP, and the blocking BZPOPMIN, BZPOPMAX, BZMPOP, which wait as
// block.go says.

const (
	errNumkeysPositive Error = "ERR numkeys should be greater than 0"
	errCountPositive   Error = "ERR count should be greater than 0"
)

func zsetPopCommands() []*command {
	return []*command{
		{name: "zpopmin", arity: -2, flags: write | fast, keys: oneKey, use: "RW access delete", group: "sorted-set", since: "5.0.0", summary: "Removes and returns the members with the lowest scores.", run: zpopmin},
		{name: "zpopmax", arity: -2, flags: write | fast, keys: oneKey, use: "RW access delete", group: "sorted-set", since: "5.0.0", summary: "Removes and returns the members with the highest scores.", run: zpopmax},
		{name: "zmpop", arity: -4, flags: write | movable, keys: keySpec{numkeys: 1}, use: "RW access delete", group: "sorted-set", since: "7.0.0", summary: "Removes and returns members of the first sorted set that has any.", run: zmpop},
		{name: "bzpopmin", arity: -3, flags: write | fast | blocking, keys: keySpec{first: 1, last: -2, step: 1}, use: "RW access delete", group: "sorted-set", since: "5.0.0", summary: "ZPOPMIN of the first sorted set that has members; waits for members.", run: bzpopmin},
		{name: "bzpopmax", arity: -3, flags: write | fast | blocking, keys: keySpec{first: 1, last: -2, step: 1}, use: "RW access delete", group: "sorted-set", since: "5.0.0", summary: "ZPOPMAX of the first sorted set that has members; waits for members.", run: bzpopmax},
		{name: "bzmpop", arity: -5, flags: write | blocking | movable, keys: keySpec{numkeys: 2}, use: "RW access delete", group: "sorted-set", since: "7.0.0", summary: "ZMPOP; waits for members.", run: bzmpop},
	}
}

// ZPOPMIN key [count]
func zpopmin(c *call) error { return c.popScores(false) }

// ZPOPMAX key [count]
func zpopmax(c *call) error { return c.popScores(true) }

func (c *call) popScores(highest bool) error {
	count := int64(1)
	switch len(c.args) {
	case 2:
	case 3:
		var ok bool
		if count, ok = num.ParseInt(c.args[2]); !ok || count < 0 {
			return errNotPositive
		}
	default:
		return errSyntax
	}
	z, err := c.tx.ZSet(c.args[1])
	if err != nil {
		return err
	}
	popped := z.popEnd(count, highest)
	if len(c.args) == 2 {
		c.w.Array(2 * len(popped))
	} else {
		c.w.Pairs(len(popped))
	}
	for _, m := range popped {
		c.w.Bulk(m.Name)
		c.w.Double(m.Score)
	}
	return nil
}

// firstZSet is the first of the keys that exists.
func (c *call) firstZSet(keys []string) (string, *ZSet, error) {
	for _, key := range keys {
		z, err := c.tx.ZSet(key)
		if z.Len() > 0 || err != nil {
			return key, z, err
		}
	}
	return "", nil, nil
}

// ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]
func zmpop(c *call) error { return c.popFirstZSet(1) }

// BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]
func bzmpop(c *call) error { return c.popFirstZSet(2) }

// popFirstZSet is ZMPOP with numkeys at argument i; a timeout may come before it.
func (c *call) popFirstZSet(i int) error {
	numkeys, ok := num.ParseInt(c.args[i])
	if !ok || numkeys < 1 {
		return errNumkeysPositive
	}
	if numkeys >= int64(len(c.args)-i-1) {
		return errSyntax
	}
	keys := c.args[i+1 : i+1+int(numkeys)]
	i += 1 + int(numkeys)
	highest := c.is(i, "max")
	if !highest && !c.is(i, "min") {
		return errSyntax
	}
	count := int64(-1)
	for i++; i < len(c.args); i++ {
		if count != -1 || !c.is(i, "count") || i+1 == len(c.args) {
			return errSyntax
		}
		i++
		if count, ok = num.ParseInt(c.args[i]); !ok || count < 1 {
			return errCountPositive
		}
	}
	timeout := 0.0
	if c.cmd.has(blocking) {
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
	case z == nil && c.cmd.has(blocking):
		return c.block(timeout, c.w.NullArray)
	case z == nil:
		c.w.NullArray()
		return nil
	}
	popped := z.popEnd(max(count, 1), highest)
	c.w.Array(2)
	c.w.Bulk(key)
	c.w.Array(len(popped))
	for _, m := range popped {
		c.w.Array(2)
		c.w.Bulk(m.Name)
		c.w.Double(m.Score)
	}
	return nil
}

// BZPOPMIN key [key ...] timeout
func bzpopmin(c *call) error { return c.popAnyZSet(false) }

// BZPOPMAX key [key ...] timeout
func bzpopmax(c *call) error { return c.popAnyZSet(true) }

func (c *call) popAnyZSet(highest bool) error {
	last := len(c.args) - 1
	timeout, err := c.timeout(last)
	if err != nil {
		return err
	}
	key, z, err := c.firstZSet(c.args[1:last])
	if err != nil {
		return err
	}
	popped := z.popEnd(1, highest)
	if len(popped) == 0 {
		return c.block(timeout, c.w.NullArray)
	}
	c.w.Array(3)
	c.w.Bulk(key)
	c.w.Bulk(popped[0].Name)
	c.w.Double(popped[0].Score)
	return nil
}
