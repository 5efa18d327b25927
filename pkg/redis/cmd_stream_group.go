package redis

import "strings"

// XGROUP CREATE, CREATECONSUMER, DELCONSUMER, DESTROY, SETID; XREADGROUP, XACK.

// sought is the stream and the group that arguments 2 and 3 name; either may be nil.
func (c *call) sought() (*Stream, *streamGroup, error) {
	s, err := c.tx.Stream(c.args[2])
	if err != nil || s == nil {
		return nil, nil, err
	}
	return s, s.Group(c.args[3]), nil
}

// ofGroup is sought for subcommands that need the key, and if need be the group.
func (c *call) ofGroup(need bool) (*Stream, *streamGroup, error) {
	s, g, err := c.sought()
	switch {
	case err != nil:
		return nil, nil, err
	case s == nil:
		return nil, nil, errGroupKey
	case g == nil && need:
		return nil, nil, errNoGroup(c.args[2], c.args[3])
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

func errSubSyntax(c *call) Error {
	return Error("ERR unknown subcommand or wrong number of arguments for '" + c.args[1] + "'. Try " + strings.ToUpper(c.args[0]) + " HELP.")
}

// groupOptions parses [MKSTREAM] [ENTRIESREAD n], from argument 5 on.
func groupOptions(c *call, mayMake bool) (mkstream bool, read int64, err error) {
	read = readUnknown
	for i := 5; i < len(c.args); i++ {
		switch {
		case mayMake && c.is(i, "mkstream"):
			mkstream = true
		case c.is(i, "entriesread") && i+1 < len(c.args):
			i++
			if read, err = c.int(i); err != nil {
				return mkstream, read, err
			}
			if read < 0 && read != readUnknown {
				return mkstream, read, Error("ERR value for ENTRIESREAD must be positive or -1")
			}
		default:
			return mkstream, read, errSubSyntax(c)
		}
	}
	return mkstream, read, nil
}

// XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]
func xgroupCreate(c *call) error {
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
	if len(c.args) > 8 { // options given twice
		return errSubSyntax(c)
	}
	var id streamID
	if c.args[4] != "$" {
		if id, err = parseStreamID(c.args[4], 0); err != nil {
			return err
		}
	} else if s != nil {
		id = s.LastID()
	}
	if g != nil {
		return Error("BUSYGROUP Consumer Group name already exists")
	}
	if s == nil {
		s = c.tx.NewStream(c.args[2])
	}
	s.NewGroup(c.args[3], id, read)
	c.w.OK()
	return nil
}

// XGROUP SETID key group id | $ [ENTRIESREAD entries-read]
func xgroupSetID(c *call) error {
	_, read, err := groupOptions(c, false)
	if err != nil {
		return err
	}
	s, g, err := c.ofGroup(true)
	if err != nil {
		return err
	}
	if len(c.args) > 7 { // options given twice
		return errSubSyntax(c)
	}
	id := s.LastID()
	switch c.args[4] {
	case "$":
	case "-", "+":
		id, err = parseStreamBound(c.args[4], false)
	default:
		id, err = parseStreamID(c.args[4], 0)
	}
	if err != nil {
		return err
	}
	g.SetLast(id, read)
	c.w.OK()
	return nil
}

// XGROUP DESTROY key group
func xgroupDestroy(c *call) error {
	_, g, err := c.ofGroup(false)
	if err != nil {
		return err
	}
	if g != nil {
		g.Destroy()
	}
	c.w.IntBool(g != nil)
	return nil
}

// XGROUP CREATECONSUMER key group consumer
func xgroupCreateConsumer(c *call) error {
	_, g, err := c.ofGroup(true)
	if err != nil {
		return err
	}
	known := g.Consumer(c.args[4]) != nil
	if !known {
		g.NewConsumer(c.args[4])
	}
	c.w.IntBool(!known)
	return nil
}

// XGROUP DELCONSUMER key group consumer
func xgroupDelConsumer(c *call) error {
	_, g, err := c.ofGroup(true)
	if err != nil {
		return err
	}
	var pending int64
	if consumer := g.Consumer(c.args[4]); consumer != nil {
		pending = consumer.pending
		g.DeleteConsumer(consumer)
	}
	c.w.Int(pending)
	return nil
}

// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]
func xreadgroup(c *call) error {
	a, err := parseXread(c)
	if err != nil {
		return err
	}
	groups, after := make([]*streamGroup, len(a.keys)), make([]streamID, len(a.keys))
	meaningless := func(id string) error {
		return Error("ERR The " + id + " ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The " + id + " ID would just return an empty result set.")
	}
	for i, key := range a.keys {
		s, err := c.tx.Stream(key)
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
			if after[i], err = parseStreamID(id, 0); err != nil {
				return err
			}
		}
	}
	mark, served := c.w.Mark(), 0
	for i, g := range groups {
		here := c.w.Mark()
		c.w.Array(2)
		c.w.Bulk(a.keys[i])
		// Without acknowledgement, a new consumer leaves no trace, unlike in Redis.
		var consumer *streamConsumer
		if !a.noAck || g.Consumer(a.consumer) != nil {
			consumer = g.see(a.consumer)
		}
		if a.ids[i] != ">" && after[i] != maxStreamID {
			c.history(g, consumer, after[i], a.count)
		} else if !c.deliver(g, consumer, a) {
			c.w.Truncate(here)
			continue
		}
		served++
	}
	return c.served(a, mark, served, nil)
}

// deliver replies with entries that the group has not been given yet; not ok if there are none.
func (c *call) deliver(g *streamGroup, consumer *streamConsumer, a xreadArgs) bool {
	mark, n := c.w.Mark(), 0
	first, ok := g.Last().next()
	if !ok || g.Stream().LastID().less(first) {
		return false
	}
	for e := range g.Stream().Range(first, maxStreamID, readaheadOf(a.count)) {
		g.deliver(e.id)
		c.entry(e)
		if !a.noAck {
			g.SetPending(pendingEntry{id: e.id, consumer: consumer, at: c.tx.Now(), count: 1})
			consumer.active = c.tx.Now()
		}
		if n++; int64(n) == a.count || c.full(mark) {
			break
		}
	}
	if n > 0 {
		c.w.ArrayAt(mark, n)
	}
	return n > 0
}

// history replies with what is pending to a consumer behind an id. It counts as delivered once
// more, unless the entry was deleted; then it has no fields.
func (c *call) history(g *streamGroup, consumer *streamConsumer, after streamID, count int64) {
	mark, n := c.w.Mark(), 0
	var again []pendingEntry
	if first, ok := after.next(); ok && consumer != nil {
		readahead := readaheadOf(consumer.pending)
		if count > 0 {
			readahead = min(readahead, readaheadOf(count))
		}
		for p := range g.PendingOf(consumer, first, maxStreamID, readahead) {
			if e, ok := g.Stream().Get(p.id, readahead); ok {
				c.entry(e)
				again = append(again, p)
			} else {
				c.w.Array(2)
				c.w.Bulk(p.id.String())
				c.w.NullArray()
			}
			if n++; int64(n) == count || c.full(mark) {
				break
			}
		}
	}
	for _, p := range again {
		p.at, p.count = c.tx.Now(), p.count+1
		g.SetPending(p)
	}
	c.w.ArrayAt(mark, n)
}

// XACK key group id [id ...]
func xack(c *call) error {
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.args[2])
	if g == nil {
		c.w.Int(0)
		return nil
	}
	ids, err := streamIDs(c.args[3:])
	if err != nil {
		return err
	}
	var n int64
	for _, id := range ids {
		if g.Acknowledge(id, len(ids)) {
			n++
		}
	}
	c.w.Int(n)
	return nil
}
