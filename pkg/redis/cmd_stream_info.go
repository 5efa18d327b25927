package redis

import "iter"

// XINFO STREAM, GROUPS, CONSUMERS.

// existing is the stream at argument 2, which must be there.
func (c *call) existing() (*Stream, error) {
	s, err := c.tx.Stream(c.args[2])
	if s == nil && err == nil {
		err = errNoKey
	}
	return s, err
}

// field starts a pair of a map.
func (c *call) field(name string) { c.w.Bulk(name) }

func (c *call) idField(name string, id streamID) {
	c.field(name)
	c.w.Bulk(id.String())
}

func (c *call) intField(name string, n int64) {
	c.field(name)
	c.w.Int(n)
}

// intOrNullField is intField for what may be unknown.
func (c *call) intOrNullField(name string, n int64, known bool) {
	c.field(name)
	if known {
		c.w.Int(n)
	} else {
		c.w.Null()
	}
}

// XINFO CONSUMERS key group
func xinfoConsumers(c *call) error {
	s, err := c.existing()
	if err != nil {
		return err
	}
	g := s.Group(c.args[3])
	if g == nil {
		c.w.Array(0) // Upstash's clients expect no error
		return nil
	}
	now := c.tx.Now()
	c.w.Array(len(g.Consumers()))
	for _, consumer := range g.Consumers() {
		inactive := consumer.active
		if inactive >= 0 {
			inactive = now - inactive
		}
		c.w.Map(4)
		c.field("name")
		c.w.Bulk(consumer.name)
		c.intField("pending", consumer.pending)
		c.intField("idle", max(now-consumer.seen, 0))
		c.intField("inactive", inactive)
	}
	return nil
}

// XINFO GROUPS key
func xinfoGroups(c *call) error {
	s, err := c.existing()
	if err != nil {
		return err
	}
	groups := s.Groups()
	c.w.Array(len(groups))
	for _, g := range groups {
		c.w.Map(6)
		c.field("name")
		c.w.Bulk(g.Name())
		c.intField("consumers", int64(len(g.Consumers())))
		c.intField("pending", g.PendingLen())
		c.progress(g)
	}
	return nil
}

// progress replies with how far a group has got.
func (c *call) progress(g *streamGroup) {
	c.idField("last-delivered-id", g.Last())
	c.intOrNullField("entries-read", g.Read(), g.Read() != readUnknown)
	lag, known := g.Lag()
	c.intOrNullField("lag", lag, known)
}

// radixEntries is how many entries a node of Redis's radix tree holds.
const radixEntries = 100

// XINFO STREAM key [FULL [COUNT count]]
func xinfoStream(c *call) error {
	n := len(c.args)
	full, count := n > 3, int64(10)
	s, err := c.existing()
	switch {
	case err != nil:
		return err
	case full && (n != 4 && n != 6 || !c.is(3, "full") || n == 6 && !c.is(4, "count")):
		return errSubSyntax(c)
	case n == 6:
		if count, err = c.int(5); err != nil {
			return err
		}
		if count < 0 {
			count = 10
		}
	}
	if full {
		c.w.Map(9)
	} else {
		c.w.Map(10)
	}
	c.intField("length", s.Len())
	// There is no such tree here: these are about the numbers that Redis would have.
	keys := (s.Len() + radixEntries - 1) / radixEntries
	c.intField("radix-tree-keys", keys)
	c.intField("radix-tree-nodes", keys+1)
	c.idField("last-generated-id", s.LastID())
	c.idField("max-deleted-entry-id", s.MaxDeletedID())
	c.intField("entries-added", s.Added())
	c.idField("recorded-first-entry-id", s.FirstID())
	if full {
		c.streamInFull(s, count)
		return nil
	}
	c.intField("groups", s.GroupCount())
	c.field("first-entry")
	c.firstOf(s.Range(streamID{}, maxStreamID, 1))
	c.field("last-entry")
	c.firstOf(s.ReverseRange(maxStreamID, streamID{}, 1))
	return nil
}

// firstOf replies with the first entry of a range, null if there is none.
func (c *call) firstOf(entries iter.Seq[streamEntry]) {
	for e := range entries {
		c.entry(e)
		return
	}
	c.w.Null()
}

// streamInFull replies with up to count entries, pending entries of each group, and of each
// consumer; with all of them if count is 0.
func (c *call) streamInFull(s *Stream, count int64) {
	c.field("entries")
	mark, n := c.w.Mark(), 0
	for e := range s.Range(streamID{}, maxStreamID, readaheadOf(count)) {
		c.entry(e)
		if n++; int64(n) == count || c.full(mark) {
			break
		}
	}
	c.w.ArrayAt(mark, n)
	c.field("groups")
	groups := s.Groups()
	c.w.Array(len(groups))
	for _, g := range groups {
		c.w.Map(7)
		c.field("name")
		c.w.Bulk(g.Name())
		c.progress(g)
		c.intField("pel-count", g.PendingLen())
		c.field("pending")
		c.pendingInFull(g, nil, count)
		c.field("consumers")
		c.w.Array(len(g.Consumers()))
		for _, consumer := range g.Consumers() {
			c.w.Map(5)
			c.field("name")
			c.w.Bulk(consumer.name)
			c.intField("seen-time", consumer.seen)
			c.intField("active-time", consumer.active)
			c.intField("pel-count", consumer.pending)
			c.field("pending")
			c.pendingInFull(g, consumer, count)
		}
	}
}

// pendingInFull replies with up to count pending entries, those of a consumer or, with their
// consumers, all.
func (c *call) pendingInFull(g *streamGroup, consumer *streamConsumer, count int64) {
	mark, n := c.w.Mark(), 0
	for p := range g.PendingOf(consumer, streamID{}, maxStreamID, readaheadOf(count)) {
		if consumer == nil {
			c.w.Array(4)
			c.w.Bulk(p.id.String())
			c.w.Bulk(p.consumer.name)
		} else {
			c.w.Array(3)
			c.w.Bulk(p.id.String())
		}
		c.w.Int(p.at)
		c.w.Int(p.count)
		if n++; int64(n) == count || c.full(mark) {
			break
		}
	}
	c.w.ArrayAt(mark, n)
}
