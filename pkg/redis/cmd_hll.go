package redis

import "github.com/skystash/skystash/pkg/redis/internal/hll"

// PFADD, PFCOUNT, PFMERGE.

func hllCommands() []*command {
	return []*command{
		{name: "pfadd", arity: -2, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "hyperloglog", since: "2.8.9", summary: "Adds elements to a HyperLogLog.", run: pfadd},
		{name: "pfcount", arity: -2, flags: readonly, keys: allKeys, use: "RW access", group: "hyperloglog", since: "2.8.9", summary: "Estimates how many different elements HyperLogLogs have seen.", run: pfcount},
		{name: "pfmerge", arity: -2, flags: write | denyoom, keys: allKeys, use: "RW access insert", then: "RO access", group: "hyperloglog", since: "2.8.9", summary: "Merges HyperLogLogs into one.", run: pfmerge},
	}
}

const errNotHLL Error = "WRONGTYPE Key is not a valid HyperLogLog string value."

const errBadHLL Error = "INVALIDOBJ Corrupted HLL object detected"

// hyperLogLog returns the HyperLogLog at a key; not ok if there is no such key.
func (c *call) hyperLogLog(key string) (string, bool, error) {
	s, ok, err := c.tx.String(key)
	if err != nil || !ok {
		return "", false, err
	}
	if hll.Validate(s) != nil {
		return "", false, errNotHLL
	}
	return s, true, nil
}

// PFADD key [element [element ...]]
func pfadd(c *call) error {
	s, ok, err := c.hyperLogLog(c.args[1])
	if err != nil {
		return err
	}
	if !ok {
		s = hll.New()
	}
	next, changed, err := hll.Add(s, c.args[2:])
	if err != nil {
		return errBadHLL
	}
	changed = changed || !ok
	if changed {
		c.tx.SetString(c.args[1], next, true)
	}
	c.w.IntBool(changed)
	return nil
}

// PFCOUNT key [key ...]
//
// Redis stores the estimate in the key, which costs a write; here it is only read.
func pfcount(c *call) error {
	var all []string
	for _, key := range c.args[1:] {
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
	c.w.Int(n)
	return nil
}

// PFMERGE destkey [sourcekey [sourcekey ...]]
func pfmerge(c *call) error {
	dest, ok, err := c.hyperLogLog(c.args[1])
	if err != nil {
		return err
	}
	if !ok {
		dest = hll.New()
	}
	var sources []string
	for _, key := range c.args[2:] {
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
	c.tx.SetString(c.args[1], merged, true)
	c.w.OK()
	return nil
}
