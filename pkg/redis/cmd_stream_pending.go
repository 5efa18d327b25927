package redis

import (
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// XPENDING, XCLAIM, XAUTOCLAIM.

// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
func xpending(c *call) error {
	if n := len(c.args); n != 3 && (n < 6 || n > 9) {
		return errSyntax
	}
	var a pendingArgs
	if len(c.args) > 3 {
		var err error
		if a, err = parsePending(c); err != nil {
			return err
		}
	}
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.args[2])
	if g == nil {
		return errNoKeyOrGroup(c.args[1], c.args[2])
	}
	if len(c.args) == 3 {
		c.pendingSummary(g)
		return nil
	}
	var consumer *streamConsumer
	if a.named {
		if consumer = g.Consumer(a.consumer); consumer == nil {
			c.w.Array(0)
			return nil
		}
	}
	mark, n, now := c.w.Mark(), 0, c.tx.Now()
	if a.count > 0 {
		for p := range g.PendingOf(consumer, a.from, a.to, readaheadOf(a.count)) {
			if a.minIdle > 0 && now-p.at < a.minIdle {
				continue
			}
			c.w.Array(4)
			c.w.Bulk(p.id.String())
			c.w.Bulk(p.consumer.name)
			c.w.Int(max(now-p.at, 0))
			c.w.Int(p.count)
			if n++; int64(n) == a.count || c.full(mark) {
				break
			}
		}
	}
	c.w.ArrayAt(mark, n)
	return nil
}

type pendingArgs struct {
	minIdle  int64 // milliseconds
	from, to streamID
	count    int64
	named    bool
	consumer string
}

func parsePending(c *call) (a pendingArgs, err error) {
	i := 3
	if c.is(i, "idle") {
		if a.minIdle, err = c.int(4); err != nil {
			return a, err
		}
		if len(c.args) < 8 {
			return a, errSyntax
		}
		i += 2
	}
	if a.count, err = c.streamCount(i + 2); err != nil {
		return a, err
	}
	if a.from, err = parseStreamBound(c.args[i], false); err != nil {
		return a, err
	}
	if a.to, err = parseStreamBound(c.args[i+1], true); err != nil {
		return a, err
	}
	if i+3 < len(c.args) {
		a.named, a.consumer = true, c.args[i+3]
	}
	return a, nil
}

// pendingSummary replies with the number of pending entries, the first and the last, and how many
// each consumer has.
func (c *call) pendingSummary(g *streamGroup) {
	c.w.Array(4)
	n := g.PendingLen()
	c.w.Int(n)
	if n == 0 {
		c.w.Null()
		c.w.Null()
		c.w.NullArray()
		return
	}
	var first streamID
	for p := range g.PendingRange(streamID{}, maxStreamID, 1) {
		first = p.id
		break
	}
	c.w.Bulk(first.String())
	c.w.Bulk(g.lastPending().String())
	mark, consumers := c.w.Mark(), 0
	for _, consumer := range g.Consumers() {
		if consumer.pending > 0 {
			consumers++
			c.w.Array(2)
			c.w.Bulk(consumer.name)
			c.w.BulkInt(consumer.pending)
		}
	}
	c.w.ArrayAt(mark, consumers)
}

// claim is what XCLAIM and XAUTOCLAIM do to entries.
type claim struct {
	minIdle int64 // milliseconds
	at      int64 // the time of delivery to be recorded, Unix ms
	retries int64 // the number of deliveries to be recorded; -1: one more than before
	force   bool  // entries that are not pending too
	justID  bool
	last    streamID // that the group's last id must not be below
}

// XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-ms] [RETRYCOUNT count]
// [FORCE] [JUSTID] [LASTID id]
func xclaim(c *call) error {
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.args[2])
	if g == nil {
		return errNoKeyOrGroup(c.args[1], c.args[2])
	}
	ids, cl, err := parseClaim(c)
	if err != nil {
		return err
	}
	if g.Last().less(cl.last) {
		g.SetLast(cl.last, g.Read())
	}
	consumer := g.see(c.args[3])
	mark, n := c.w.Mark(), 0
	for _, id := range ids {
		p, pending := g.Pending(id, len(ids))
		e, ok := s.Get(id, len(ids))
		switch {
		case !ok:
			g.Acknowledge(id, len(ids)) // there is nothing left to process
			continue
		case !pending && !cl.force, pending && c.tx.Now()-p.at < cl.minIdle:
			continue
		case !pending:
			p = pendingEntry{id: id, count: 1}
		}
		c.claimed(g, consumer, p, e, cl)
		if n++; c.full(mark) {
			break
		}
	}
	c.w.ArrayAt(mark, n)
	return nil
}

// claimed makes a pending entry another consumer's and replies with it.
func (c *call) claimed(g *streamGroup, consumer *streamConsumer, p pendingEntry, e streamEntry, cl claim) {
	switch {
	case cl.retries >= 0:
		p.count = cl.retries
	case !cl.justID:
		p.count++
	}
	p.consumer, p.at = consumer, cl.at
	g.SetPending(p)
	consumer.active = c.tx.Now()
	if cl.justID {
		c.w.Bulk(e.id.String())
	} else {
		c.entry(e)
	}
}

func parseClaim(c *call) (ids []streamID, cl claim, err error) {
	named := func(i int, option string) (int64, error) {
		n, ok := num.ParseInt(c.args[i])
		if !ok {
			return 0, Error("ERR Invalid " + option + " argument for XCLAIM")
		}
		return n, nil
	}
	now := c.tx.Now()
	cl.retries = -1
	if cl.minIdle, err = named(4, "min-idle-time"); err != nil {
		return nil, cl, err
	}
	cl.minIdle = max(cl.minIdle, 0)
	i := 5
	for ; i < len(c.args); i++ {
		id, err := parseStreamID(c.args[i], 0)
		if err != nil {
			break // options follow
		}
		ids = append(ids, id)
	}
	at := int64(-1)
	for ; i < len(c.args); i++ {
		more := i+1 < len(c.args)
		switch {
		case c.is(i, "force"):
			cl.force = true
			continue
		case c.is(i, "justid"):
			cl.justID = true
			continue
		case !more:
			return nil, cl, Error("ERR Unrecognized XCLAIM option '" + c.args[i] + "'")
		case c.is(i, "idle"):
			if at, err = named(i+1, "IDLE option"); err == nil {
				at = now - at
			}
		case c.is(i, "time"):
			at, err = named(i+1, "TIME option")
		case c.is(i, "retrycount"):
			cl.retries, err = named(i+1, "RETRYCOUNT option")
		case c.is(i, "lastid"):
			cl.last, err = parseStreamID(c.args[i+1], 0)
		default:
			err = Error("ERR Unrecognized XCLAIM option '" + c.args[i] + "'")
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
func xautoclaim(c *call) error {
	cl := claim{retries: -1, at: c.tx.Now()}
	var ok bool
	if cl.minIdle, ok = num.ParseInt(c.args[4]); !ok {
		return Error("ERR Invalid min-idle-time argument for XAUTOCLAIM")
	}
	from, err := parseStreamBound(c.args[5], false)
	if err != nil {
		return err
	}
	count := int64(autoClaimCount)
	for i := 6; i < len(c.args); i++ {
		switch {
		case c.is(i, "count") && i+1 < len(c.args):
			i++
			if count, ok = num.ParseInt(c.args[i]); !ok || count < 1 || count > math.MaxInt64/16 {
				return Error("ERR COUNT must be > 0")
			}
		case c.is(i, "justid"):
			cl.justID = true
		default:
			return errSyntax
		}
	}
	s, err := c.tx.Stream(c.args[1])
	if err != nil {
		return err
	}
	g := s.Group(c.args[2])
	if g == nil {
		return errNoKeyOrGroup(c.args[1], c.args[2])
	}
	consumer := g.see(c.args[3])

	// What is claimed is put down afterwards, for the list must not change under us.
	var next streamID
	var claims []pendingEntry
	var entries []streamEntry
	var lost []streamID
	tries := count * autoClaimTries
	readahead := readaheadOf(count)
	for p := range g.PendingRange(from, maxStreamID, readahead) {
		if tries == 0 || int64(len(claims)+len(lost)) == count {
			next = p.id
			break
		}
		tries--
		e, ok := s.Get(p.id, readahead)
		switch {
		case !ok:
			lost = append(lost, p.id)
		case c.tx.Now()-p.at >= cl.minIdle:
			claims, entries = append(claims, p), append(entries, e)
		}
	}
	c.w.Array(3)
	c.w.Bulk(next.String())
	mark, n := c.w.Mark(), 0
	for i, p := range claims {
		c.claimed(g, consumer, p, entries[i], cl)
		if n++; c.full(mark) {
			break
		}
	}
	c.w.ArrayAt(mark, n)
	c.w.Array(len(lost))
	for _, id := range lost {
		g.Acknowledge(id, len(lost))
		c.w.Bulk(id.String())
	}
	return nil
}
