package command

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// XGROUP CREATE, CREATECONSUMER, DELCONSUMER, DESTROY, SETID; XREADGROUP, XACK.

// sought is the stream and the group that arguments 2 and 3 name; either may be nil.
func (c *Call) sought() (*keyspace.Stream, *keyspace.StreamGroup, error) {
	s, err := c.Txn.Stream(c.Args[2])
	if err != nil || s == nil {
		return nil, nil, err
	}
	return s, s.Group(c.Args[3]), nil
}

// ofGroup is sought for subcommands that need the key, and if need be the group.
func (c *Call) ofGroup(need bool) (*keyspace.Stream, *keyspace.StreamGroup, error) {
	s, g, err := c.sought()
	switch {
	case err != nil:
		return nil, nil, err
	case s == nil:
		return nil, nil, errGroupKey
	case g == nil && need:
		return nil, nil, errNoGroup(c.Args[2], c.Args[3])
	}
	return s, g, nil
}

const errGroupKey Error = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."

func errNoGroup(key, group string) Error {
	return Error("NOGROUP No such consumer group '" + group + "' for key name '" + key + "'")
}

// errNoKeyOrGroup is how most commands say that there is no such group.
func errNoKeyOrGroup(key, group string) Error {
	return Error("NOGROUP No such key '" + key + "' or consumer group '" + group + "'")
}

func errSubSyntax(c *Call) Error {
	return Error("ERR unknown subcommand or wrong number of arguments for '" + c.Args[1] + "'. Try " + strings.ToUpper(c.Args[0]) + " HELP.")
}

// groupOptions parses [MKSTREAM] [ENTRIESREAD n], from argument 5 on.
func groupOptions(c *Call, mayMake bool) (mkstream bool, read int64, err error) {
	read = keyspace.ReadUnknown
	for i := 5; i < len(c.Args); i++ {
		switch {
		case mayMake && c.Is(i, "mkstream"):
			mkstream = true
		case c.Is(i, "entriesread") && i+1 < len(c.Args):
			i++
			if read, err = c.Int(i); err != nil {
				return mkstream, read, err
			}
			if read < 0 && read != keyspace.ReadUnknown {
				return mkstream, read, Error("ERR value for ENTRIESREAD must be positive or -1")
			}
		default:
			return mkstream, read, errSubSyntax(c)
		}
	}
	return mkstream, read, nil
}

// XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]
func xgroupCreate(c *Call) error {
	mkstream, read, err := groupOptions(c, true)
	if err != nil {
		return err
	}
	s, g, err := c.sought()
	if err != nil {
		return err
	}
	if s == nil && !mkstream {
		return errGroupKey
	}
	if len(c.Args) > 8 { // options given twice
		return errSubSyntax(c)
	}
	var id keyspace.StreamID
	if c.Args[4] != "$" {
		if id, err = keyspace.ParseStreamID(c.Args[4], 0); err != nil {
			return err
		}
	} else if s != nil {
		id = s.LastID()
	}
	if g != nil {
		return Error("BUSYGROUP Consumer Group name already exists")
	}
	if s == nil {
		s = c.Txn.NewStream(c.Args[2])
	}
	s.NewGroup(c.Args[3], id, read)
	c.event("xgroup-create", c.Args[2])
	c.W.OK()
	return nil
}

// XGROUP SETID key group id | $ [ENTRIESREAD entries-read]
func xgroupSetID(c *Call) error {
	_, read, err := groupOptions(c, false)
	if err != nil {
		return err
	}
	s, g, err := c.ofGroup(true)
	if err != nil {
		return err
	}
	if len(c.Args) > 7 { // options given twice
		return errSubSyntax(c)
	}
	id := s.LastID()
	switch c.Args[4] {
	case "$":
	case "-", "+":
		id, err = keyspace.ParseStreamBound(c.Args[4], false)
	default:
		id, err = keyspace.ParseStreamID(c.Args[4], 0)
	}
	if err != nil {
		return err
	}
	g.SetLast(id, read)
	c.event("xgroup-setid", c.Args[2])
	c.W.OK()
	return nil
}

// XGROUP DESTROY key group
func xgroupDestroy(c *Call) error {
	_, g, err := c.ofGroup(false)
	if err != nil {
		return err
	}
	if g != nil {
		g.Destroy()
		c.event("xgroup-destroy", c.Args[2])
	}
	c.W.IntBool(g != nil)
	return nil
}

// XGROUP CREATECONSUMER key group consumer
func xgroupCreateConsumer(c *Call) error {
	_, g, err := c.ofGroup(true)
	if err != nil {
		return err
	}
	known := g.Consumer(c.Args[4]) != nil
	if !known {
		g.NewConsumer(c.Args[4])
		c.event("xgroup-createconsumer", c.Args[2])
	}
	c.W.IntBool(!known)
	return nil
}

// XGROUP DELCONSUMER key group consumer
func xgroupDelConsumer(c *Call) error {
	_, g, err := c.ofGroup(true)
	if err != nil {
		return err
	}
	var pending int64
	if consumer := g.Consumer(c.Args[4]); consumer != nil {
		pending = consumer.Pending
		g.DeleteConsumer(consumer)
		c.event("xgroup-delconsumer", c.Args[2])
	}
	c.W.Int(pending)
	return nil
}

// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]
func xreadgroup(c *Call) error {
	a, err := parseXread(c)
	if err != nil {
		return err
	}
	groups, after := make([]*keyspace.StreamGroup, len(a.keys)), make([]keyspace.StreamID, len(a.keys))
	meaningless := func(id string) error {
		return Error("ERR The " + id + " ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The " + id + " ID would just return an empty result set.")
	}
	for i, key := range a.keys {
		s, err := c.Txn.Stream(key)
		if err != nil {
			return err
		}
		if groups[i] = s.Group(a.group); groups[i] == nil {
			return Error("NOGROUP No such key '" + key + "' or consumer group '" + a.group + "' in XREADGROUP with GROUP option")
		}
		switch id := a.ids[i]; id {
		case "$", "+":
			return meaningless(id)
		case ">":
		default:
			if after[i], err = keyspace.ParseStreamID(id, 0); err != nil {
				return err
			}
		}
	}
	mark, served := c.W.Mark(), 0
	for i, g := range groups {
		here := c.W.Mark()
		c.W.Array(2)
		c.W.Bulk(a.keys[i])
		// Over REST, a new consumer without acknowledgement leaves no trace, unlike in Redis.
		var consumer *keyspace.StreamConsumer
		if !a.noAck || c.Native() || g.Consumer(a.consumer) != nil {
			consumer = c.see(g, a.keys[i], a.consumer)
		}
		if a.ids[i] != ">" && after[i] != keyspace.MaxStreamID {
			c.history(g, consumer, after[i], a.count)
		} else if !c.deliver(g, consumer, a) {
			c.W.Truncate(here)
			continue
		}
		served++
	}
	return c.served(a, mark, served, nil)
}

// see is a consumer of a group, which is made if need be.
func (c *Call) see(g *keyspace.StreamGroup, key, name string) *keyspace.StreamConsumer {
	known := g.Consumer(name) != nil
	consumer := g.See(name)
	if !known {
		c.event("xgroup-createconsumer", key)
	}
	return consumer
}

// deliver replies with entries that the group has not been given yet; not ok if there are none.
func (c *Call) deliver(g *keyspace.StreamGroup, consumer *keyspace.StreamConsumer, a xreadArgs) bool {
	mark, n := c.W.Mark(), 0
	first, ok := g.Last().Next()
	if !ok || g.Stream().LastID().Less(first) {
		return false
	}
	for e := range g.Stream().Range(first, keyspace.MaxStreamID, keyspace.ReadaheadOf(a.count)) {
		g.Deliver(e.ID)
		c.entry(e)
		if !a.noAck {
			g.SetPending(keyspace.PendingEntry{ID: e.ID, Consumer: consumer, At: c.Txn.Now(), Count: 1})
			consumer.Active = c.Txn.Now()
		}
		if n++; int64(n) == a.count || c.full(mark) {
			break
		}
	}
	if n > 0 {
		c.W.ArrayAt(mark, n)
	}
	return n > 0
}

// history replies with what is pending to a consumer behind an id. It counts as delivered once
// more, unless the entry was deleted; then it has no fields.
func (c *Call) history(g *keyspace.StreamGroup, consumer *keyspace.StreamConsumer, after keyspace.StreamID, count int64) {
	mark, n := c.W.Mark(), 0
	var again []keyspace.PendingEntry
	if first, ok := after.Next(); ok && consumer != nil {
		readahead := keyspace.ReadaheadOf(consumer.Pending)
		if count > 0 {
			readahead = min(readahead, keyspace.ReadaheadOf(count))
		}
		for p := range g.PendingOf(consumer, first, keyspace.MaxStreamID, readahead) {
			if e, ok := g.Stream().Get(p.ID, readahead); ok {
				c.entry(e)
				again = append(again, p)
			} else {
				c.W.Array(2)
				c.W.Bulk(p.ID.String())
				c.W.NullArray()
			}
			if n++; int64(n) == count || c.full(mark) {
				break
			}
		}
	}
	for _, p := range again {
		p.At, p.Count = c.Txn.Now(), p.Count+1
		g.SetPending(p)
	}
	c.W.ArrayAt(mark, n)
}

// XACK key group id [id ...]
func xack(c *Call) error {
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.Args[2])
	if g == nil {
		c.W.Int(0)
		return nil
	}
	ids, err := streamIDs(c.Args[3:])
	if err != nil {
		return err
	}
	var n int64
	for _, id := range ids {
		if g.Acknowledge(id, len(ids)) {
			n++
		}
	}
	c.W.Int(n)
	return nil
}
