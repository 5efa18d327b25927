package command

import (
	"iter"

	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// XINFO STREAM, GROUPS, CONSUMERS.

// existing is the stream at argument 2, which must be there.
func (c *Call) existing() (*keyspace.Stream, error) {
	s, err := c.Txn.Stream(c.Args[2])
	if s == nil && err == nil {
		err = errNoKey
	}
	return s, err
}

// field starts a pair of a map.
func (c *Call) field(name string) { c.W.Bulk(name) }

func (c *Call) idField(name string, id keyspace.StreamID) {
	c.field(name)
	c.W.Bulk(id.String())
}

func (c *Call) intField(name string, n int64) {
	c.field(name)
	c.W.Int(n)
}

// intOrNullField is intField for what may be unknown.
func (c *Call) intOrNullField(name string, n int64, known bool) {
	c.field(name)
	if known {
		c.W.Int(n)
	} else {
		c.W.Null()
	}
}

// XINFO CONSUMERS key group
func xinfoConsumers(c *Call) error {
	s, err := c.existing()
	if err != nil {
		return err
	}
	g := s.Group(c.Args[3])
	if g == nil && c.Native() {
		return errNoGroup(c.Args[2], c.Args[3])
	}
	if g == nil {
		c.W.Array(0) // Upstash's clients expect no error
		return nil
	}
	now := c.Txn.Now()
	c.W.Array(len(g.Consumers()))
	for _, consumer := range g.Consumers() {
		inactive := consumer.Active
		if inactive >= 0 {
			inactive = now - inactive
		}
		c.W.Map(4)
		c.field("name")
		c.W.Bulk(consumer.Name)
		c.intField("pending", consumer.Pending)
		c.intField("idle", max(now-consumer.Seen, 0))
		c.intField("inactive", inactive)
	}
	return nil
}

// XINFO GROUPS key
func xinfoGroups(c *Call) error {
	s, err := c.existing()
	if err != nil {
		return err
	}
	groups := s.Groups()
	c.W.Array(len(groups))
	for _, g := range groups {
		c.W.Map(6)
		c.field("name")
		c.W.Bulk(g.Name())
		c.intField("consumers", int64(len(g.Consumers())))
		c.intField("pending", g.PendingLen())
		c.progress(g)
	}
	return nil
}

// progress replies with how far a group has got.
func (c *Call) progress(g *keyspace.StreamGroup) {
	c.idField("last-delivered-id", g.Last())
	c.intOrNullField("entries-read", g.Read(), g.Read() != keyspace.ReadUnknown)
	lag, known := g.Lag()
	c.intOrNullField("lag", lag, known)
}

// radixEntries is how many entries a node of Redis's radix tree holds.
const radixEntries = 100

// XINFO STREAM key [FULL [COUNT count]]
func xinfoStream(c *Call) error {
	n := len(c.Args)
	full, count := n > 3, int64(10)
	s, err := c.existing()
	switch {
	case err != nil:
		return err
	case full && (n != 4 && n != 6 || !c.Is(3, "full") || n == 6 && !c.Is(4, "count")):
		return errSubSyntax(c)
	case n == 6:
		if count, err = c.Int(5); err != nil {
			return err
		}
		if count < 0 {
			count = 10
		}
	}
	if full {
		c.W.Map(9)
	} else {
		c.W.Map(10)
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
	c.firstOf(s.Range(keyspace.StreamID{}, keyspace.MaxStreamID, 1))
	c.field("last-entry")
	c.firstOf(s.ReverseRange(keyspace.MaxStreamID, keyspace.StreamID{}, 1))
	return nil
}

// firstOf replies with the first entry of a range, null if there is none.
func (c *Call) firstOf(entries iter.Seq[keyspace.StreamEntry]) {
	for e := range entries {
		c.entry(e)
		return
	}
	c.W.Null()
}

// streamInFull replies with up to count entries, pending entries of each group, and of each
// consumer; with all of them if count is 0.
func (c *Call) streamInFull(s *keyspace.Stream, count int64) {
	c.field("entries")
	mark, n := c.W.Mark(), 0
	for e := range s.Range(keyspace.StreamID{}, keyspace.MaxStreamID, keyspace.ReadaheadOf(count)) {
		c.entry(e)
		if n++; int64(n) == count || c.full(mark) {
			break
		}
	}
	c.W.ArrayAt(mark, n)
	c.field("groups")
	groups := s.Groups()
	c.W.Array(len(groups))
	for _, g := range groups {
		c.W.Map(7)
		c.field("name")
		c.W.Bulk(g.Name())
		c.progress(g)
		c.intField("pel-count", g.PendingLen())
		c.field("pending")
		c.pendingInFull(g, nil, count)
		c.field("consumers")
		c.W.Array(len(g.Consumers()))
		for _, consumer := range g.Consumers() {
			c.W.Map(5)
			c.field("name")
			c.W.Bulk(consumer.Name)
			c.intField("seen-time", consumer.Seen)
			c.intField("active-time", consumer.Active)
			c.intField("pel-count", consumer.Pending)
			c.field("pending")
			c.pendingInFull(g, consumer, count)
		}
	}
}

// pendingInFull replies with up to count pending entries, those of a consumer or, with their
// consumers, all.
func (c *Call) pendingInFull(g *keyspace.StreamGroup, consumer *keyspace.StreamConsumer, count int64) {
	mark, n := c.W.Mark(), 0
	for p := range g.PendingOf(consumer, keyspace.StreamID{}, keyspace.MaxStreamID, keyspace.ReadaheadOf(count)) {
		if consumer == nil {
			c.W.Array(4)
			c.W.Bulk(p.ID.String())
			c.W.Bulk(p.Consumer.Name)
		} else {
			c.W.Array(3)
			c.W.Bulk(p.ID.String())
		}
		c.W.Int(p.At)
		c.W.Int(p.Count)
		if n++; int64(n) == count || c.full(mark) {
			break
		}
	}
	c.W.ArrayAt(mark, n)
}
