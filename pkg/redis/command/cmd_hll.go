package command

import "github.com/skystash/skystash/pkg/redis/internal/hll"

// PFADD, PFCOUNT, PFMERGE.

func hllCommands() []*Command {
	return []*Command{
		{Name: "pfadd", Arity: -2, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "pfadd", Group: "hyperloglog", Since: "2.8.9", Summary: "Adds elements to a HyperLogLog.", Run: pfadd},
		{Name: "pfcount", Arity: -2, Flags: ReadOnly, Keys: AllKeys, Use: "RW access", Group: "hyperloglog", Since: "2.8.9", Summary: "Estimates how many different elements HyperLogLogs have seen.", Run: pfcount},
		{Name: "pfmerge", Arity: -2, Flags: Write | DenyOOM, Keys: AllKeys, Use: "RW access insert", UseThen: "RO access", Event: "pfadd", Group: "hyperloglog", Since: "2.8.9", Summary: "Merges HyperLogLogs into one.", Run: pfmerge},
	}
}

const errNotHLL Error = "WRONGTYPE Key is not a valid HyperLogLog string value."

const errBadHLL Error = "INVALIDOBJ Corrupted HLL object detected"

// hyperLogLog returns the HyperLogLog at a key; not ok if there is no such key.
func (c *Call) hyperLogLog(key string) (string, bool, error) {
	s, ok, err := c.Txn.String(key)
	if err != nil || !ok {
		return "", false, err
	}
	if hll.Validate(s) != nil {
		return "", false, errNotHLL
	}
	return s, true, nil
}

// PFADD key [element [element ...]]
func pfadd(c *Call) error {
	s, ok, err := c.hyperLogLog(c.Args[1])
	if err != nil {
		return err
	}
	if !ok {
		s = hll.New()
	}
	next, changed, err := hll.Add(s, c.Args[2:])
	if err != nil {
		return errBadHLL
	}
	changed = changed || !ok
	if changed {
		c.Txn.SetString(c.Args[1], next, true)
	}
	c.W.IntBool(changed)
	return nil
}

// PFCOUNT key [key ...]
//
// Redis stores the estimate in the key, which costs a write; here it is only read.
func pfcount(c *Call) error {
	var all []string
	for _, key := range c.Args[1:] {
		s, ok, err := c.hyperLogLog(key)
		if err != nil {
			return err
		}
		if ok {
			all = append(all, s)
		}
	}
	n, err := hll.Count(all...)
	if err != nil {
		return errBadHLL
	}
	c.W.Int(n)
	return nil
}

// PFMERGE destkey [sourcekey [sourcekey ...]]
func pfmerge(c *Call) error {
	dest, ok, err := c.hyperLogLog(c.Args[1])
	if err != nil {
		return err
	}
	if !ok {
		dest = hll.New()
	}
	var sources []string
	for _, key := range c.Args[2:] {
		s, ok, err := c.hyperLogLog(key)
		if err != nil {
			return err
		}
		if ok {
			sources = append(sources, s)
		}
	}
	merged, err := hll.Merge(dest, sources)
	if err != nil {
		return errBadHLL
	}
	c.Txn.NotifyMissed(c.Args[1:]...)
	c.Txn.SetString(c.Args[1], merged, true)
	c.W.OK()
	return nil
}
