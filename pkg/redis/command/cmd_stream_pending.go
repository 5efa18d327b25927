package command

import (
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// XPENDING, XCLAIM, XAUTOCLAIM.

// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
func xpending(c *Call) error {
	if n := len(c.Args); n != 3 && (n < 6 || n > 9) {
		return ErrSyntax
	}
	var a pendingArgs
	if len(c.Args) > 3 {
		var err error
		if a, err = parsePending(c); err != nil {
			return err
		}
	}
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.Args[2])
	if g == nil {
		return errNoKeyOrGroup(c.Args[1], c.Args[2])
	}
	if len(c.Args) == 3 {
		c.pendingSummary(g)
		return nil
	}
	var consumer *keyspace.StreamConsumer
	if a.named {
		if consumer = g.Consumer(a.consumer); consumer == nil {
			c.W.Array(0)
			return nil
		}
	}
	mark, n, now := c.W.Mark(), 0, c.Txn.Now()
	if a.count > 0 {
		for p := range g.PendingOf(consumer, a.from, a.to, keyspace.ReadaheadOf(a.count)) {
			if a.minIdle > 0 && now-p.At < a.minIdle {
				continue
			}
			c.W.Array(4)
			c.W.Bulk(p.ID.String())
			c.W.Bulk(p.Consumer.Name)
			c.W.Int(max(now-p.At, 0))
			c.W.Int(p.Count)
			if n++; int64(n) == a.count || c.full(mark) {
				break
			}
		}
	}
	c.W.ArrayAt(mark, n)
	return nil
}

type pendingArgs struct {
	minIdle  int64 // milliseconds
	from, to keyspace.StreamID
	count    int64
	named    bool
	consumer string
}

func parsePending(c *Call) (a pendingArgs, err error) {
	i := 3
	if c.Is(i, "idle") {
		if a.minIdle, err = c.Int(4); err != nil {
			return a, err
		}
		if len(c.Args) < 8 {
			return a, ErrSyntax
		}
		i += 2
	}
	if a.count, err = c.streamCount(i + 2); err != nil {
		return a, err
	}
	if a.from, err = keyspace.ParseStreamBound(c.Args[i], false); err != nil {
		return a, err
	}
	if a.to, err = keyspace.ParseStreamBound(c.Args[i+1], true); err != nil {
		return a, err
	}
	if i+3 < len(c.Args) {
		a.named, a.consumer = true, c.Args[i+3]
	}
	return a, nil
}

// pendingSummary replies with the number of pending entries, the first and the last, and how many
// each consumer has.
func (c *Call) pendingSummary(g *keyspace.StreamGroup) {
	c.W.Array(4)
	n := g.PendingLen()
	c.W.Int(n)
	if n == 0 {
		c.W.Null()
		c.W.Null()
		c.W.NullArray()
		return
	}
	var first keyspace.StreamID
	for p := range g.PendingRange(keyspace.StreamID{}, keyspace.MaxStreamID, 1) {
		first = p.ID
		break
	}
	c.W.Bulk(first.String())
	c.W.Bulk(g.LastPending().String())
	mark, consumers := c.W.Mark(), 0
	for _, consumer := range g.Consumers() {
		if consumer.Pending > 0 {
			consumers++
			c.W.Array(2)
			c.W.Bulk(consumer.Name)
			c.W.BulkInt(consumer.Pending)
		}
	}
	c.W.ArrayAt(mark, consumers)
}

// claim is what XCLAIM and XAUTOCLAIM do to entries.
type claim struct {
	minIdle int64 // milliseconds
	at      int64 // the time of delivery to be recorded, Unix ms
	retries int64 // the number of deliveries to be recorded; -1: one more than before
	force   bool  // entries that are not pending too
	justID  bool
	last    keyspace.StreamID // that the group's last id must not be below
}

// XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-ms] [RETRYCOUNT count]
// [FORCE] [JUSTID] [LASTID id]
func xclaim(c *Call) error {
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.Args[2])
	if g == nil {
		return errNoKeyOrGroup(c.Args[1], c.Args[2])
	}
	ids, cl, err := parseClaim(c)
	if err != nil {
		return err
	}
	if g.Last().Less(cl.last) {
		g.SetLast(cl.last, g.Read())
	}
	consumer := c.see(g, c.Args[1], c.Args[3])
	mark, n := c.W.Mark(), 0
	for _, id := range ids {
		p, pending := g.Pending(id, len(ids))
		e, ok := s.Get(id, len(ids))
		switch {
		case !ok:
			g.Acknowledge(id, len(ids)) // there is nothing left to process
			continue
		case !pending && !cl.force, pending && c.Txn.Now()-p.At < cl.minIdle:
			continue
		case !pending:
			p = keyspace.PendingEntry{ID: id, Count: 1}
		}
		c.claimed(g, consumer, p, e, cl)
		if n++; c.full(mark) {
			break
		}
	}
	c.W.ArrayAt(mark, n)
	return nil
}

// claimed makes a pending entry another consumer's and replies with it.
func (c *Call) claimed(g *keyspace.StreamGroup, consumer *keyspace.StreamConsumer, p keyspace.PendingEntry, e keyspace.StreamEntry, cl claim) {
	switch {
	case cl.retries >= 0:
		p.Count = cl.retries
	case !cl.justID:
		p.Count++
	}
	p.Consumer, p.At = consumer, cl.at
	g.SetPending(p)
	consumer.Active = c.Txn.Now()
	if cl.justID {
		c.W.Bulk(e.ID.String())
	} else {
		c.entry(e)
	}
}

func parseClaim(c *Call) (ids []keyspace.StreamID, cl claim, err error) {
	named := func(i int, option string) (int64, error) {
		n, ok := num.ParseInt(c.Args[i])
		if !ok {
			return 0, Error("ERR Invalid " + option + " argument for XCLAIM")
		}
		return n, nil
	}
	now := c.Txn.Now()
	cl.retries = -1
	if cl.minIdle, err = named(4, "min-idle-time"); err != nil {
		return nil, cl, err
	}
	cl.minIdle = max(cl.minIdle, 0)
	i := 5
	for ; i < len(c.Args); i++ {
		id, err := keyspace.ParseStreamID(c.Args[i], 0)
		if err != nil {
			break // options follow
		}
		ids = append(ids, id)
	}
	at := int64(-1)
	for ; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch {
		case c.Is(i, "force"):
			cl.force = true
			continue
		case c.Is(i, "justid"):
			cl.justID = true
			continue
		case !more:
			return nil, cl, Error("ERR Unrecognized XCLAIM option '" + c.Args[i] + "'")
		case c.Is(i, "idle"):
			if at, err = named(i+1, "IDLE option"); err == nil {
				at = now - at
			}
		case c.Is(i, "time"):
			at, err = named(i+1, "TIME option")
		case c.Is(i, "retrycount"):
			cl.retries, err = named(i+1, "RETRYCOUNT option")
		case c.Is(i, "lastid"):
			cl.last, err = keyspace.ParseStreamID(c.Args[i+1], 0)
		default:
			err = Error("ERR Unrecognized XCLAIM option '" + c.Args[i] + "'")
		}
		if err != nil {
			return nil, cl, err
		}
		i++
	}
	if at < 0 || at > now {
		at = now // whoever computes with another clock is not to blame
	}
	cl.at = at
	return ids, cl, nil
}

const (
	// autoClaimCount is how many entries XAUTOCLAIM claims if not told.
	autoClaimCount = 100
	// autoClaimTries is how many pending entries it looks at for each that it may claim.
	autoClaimTries = 10
)

// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
func xautoclaim(c *Call) error {
	cl := claim{retries: -1, at: c.Txn.Now()}
	var ok bool
	if cl.minIdle, ok = num.ParseInt(c.Args[4]); !ok {
		return Error("ERR Invalid min-idle-time argument for XAUTOCLAIM")
	}
	from, err := keyspace.ParseStreamBound(c.Args[5], false)
	if err != nil {
		return err
	}
	count := int64(autoClaimCount)
	for i := 6; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "count") && i+1 < len(c.Args):
			i++
			if count, ok = num.ParseInt(c.Args[i]); !ok || count < 1 || count > math.MaxInt64/16 {
				return Error("ERR COUNT must be > 0")
			}
		case c.Is(i, "justid"):
			cl.justID = true
		default:
			return ErrSyntax
		}
	}
	s, err := c.Txn.Stream(c.Args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.Args[2])
	if g == nil {
		return errNoKeyOrGroup(c.Args[1], c.Args[2])
	}
	consumer := c.see(g, c.Args[1], c.Args[3])

	// What is claimed is put down afterwards, for the list must not change under us.
	var next keyspace.StreamID
	var claims []keyspace.PendingEntry
	var entries []keyspace.StreamEntry
	var lost []keyspace.StreamID
	tries := count * autoClaimTries
	readahead := keyspace.ReadaheadOf(count)
	for p := range g.PendingRange(from, keyspace.MaxStreamID, readahead) {
		if tries == 0 || int64(len(claims)+len(lost)) == count {
			next = p.ID
			break
		}
		tries--
		e, ok := s.Get(p.ID, readahead)
		switch {
		case !ok:
			lost = append(lost, p.ID)
		case c.Txn.Now()-p.At >= cl.minIdle:
			claims, entries = append(claims, p), append(entries, e)
		}
	}
	c.W.Array(3)
	c.W.Bulk(next.String())
	mark, n := c.W.Mark(), 0
	for i, p := range claims {
		c.claimed(g, consumer, p, entries[i], cl)
		if n++; c.full(mark) {
			break
		}
	}
	c.W.ArrayAt(mark, n)
	c.W.Array(len(lost))
	for _, id := range lost {
		g.Acknowledge(id, len(lost))
		c.W.Bulk(id.String())
	}
	return nil
}
