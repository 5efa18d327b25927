package wire

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// What connections hold in memory, and what they may.
//
// A client that does not read is held up: nothing more is carried out for it, so its replies are bounded. A
// subscriber's messages wait in its subscription, up to a megabyte, and beyond that in the database. On top of these bounds
// there are Redis's limits of output buffers, one for what all connections hold together, and one for those of an account: half a
// request of 32 MB in each of a thousand connections would be 32 GB.

// OutputLimit bounds what waits to be sent to a client. A client beyond HardBytes is closed, and so is one that has been beyond SoftBytes
// for SoftTime. 0: there is no such bound.
type OutputLimit struct {
	HardBytes int
	SoftBytes int
	SoftTime  time.Duration
}

// OutputLimits are those of client-output-buffer-limit in Redis.
type OutputLimits struct {
	Normal OutputLimit
	PubSub OutputLimit // of subscribers, but not of MONITOR
}

// DefaultOutputLimits are those of Redis.
var DefaultOutputLimits = OutputLimits{PubSub: OutputLimit{HardBytes: 32 << 20, SoftBytes: 8 << 20, SoftTime: time.Minute}}

// DefaultMaxMemory is what the connections of a server hold together at most, in bytes.
const DefaultMaxMemory = 512 << 20

const (
	lookEvery = time.Second // how often it is looked at what connections hold
	// connectionBytes is about what an idle connection takes.
	connectionBytes = 12 << 10
	// leastHeld is what is not counted: most requests and replies are smaller, and counting takes time.
	leastHeld = 4 << 10
)

// holding is what memory is held for.
type holding int

const (
	heldRequests holding = iota // that have arrived, and were not carried out
	heldMulti                   // commands that wait for EXEC
	heldReplies                 // that were not sent
	heldMessage                 // that is being sent to a subscriber
	heldNames                   // of channels that it has subscribed to
	holdings
)

// share is what the connections of an account hold together, or those of strangers.
type share struct {
	name  string // of the account; "": strangers
	limit int64  // bytes that it may hold before its clients are refused what takes more
	held  atomic.Int64
	conns int // of it
}

// An account's clients are refused before those of others lack memory, and strangers need little.
const (
	accountShare  = 4 // an account may hold all but a fourth of MaxMemory
	strangerShare = 8 // strangers may hold an eighth of it
)

// crowdedError refuses what a client sends because all clients of its account hold too much together.
type crowdedError int64 // the limit, in bytes

func (e crowdedError) Error() string {
	return fmt.Sprintf("ERR max memory of connections exceeded. Limit: %d bytes", int64(e))
}

// shareOf is the share of an account, "" for strangers, for one connection more.
func (s *Server) shareOf(account string) *share {
	s.sharing.Lock()
	defer s.sharing.Unlock()
	sh := s.shares[account]
	if sh == nil {
		sh = &share{name: account, limit: int64(s.cfg.MaxMemory - s.cfg.MaxMemory/accountShare)}
		if account == "" {
			sh.limit = int64(s.cfg.MaxMemory / strangerShare)
		}
		s.shares[account] = sh
	}
	sh.conns++
	return sh
}

// leave forgets a connection of a share.
func (s *Server) leave(sh *share) {
	s.sharing.Lock()
	defer s.sharing.Unlock()
	if sh.conns--; sh.conns == 0 {
		delete(s.shares, sh.name)
	}
}

// belong makes what the connection holds part of an account's share; "": of the strangers'.
func (c *conn) belong(account string) {
	if c.share.name == account {
		return
	}
	to := c.s.shareOf(account)
	c.holding.Lock()
	from := c.share
	for what := range holdings {
		bytes := c.held[what].Load()
		from.held.Add(-bytes)
		to.held.Add(bytes)
	}
	c.share = to
	c.holding.Unlock()
	c.s.leave(from)
}

// hold notes how much memory the connection holds for something now.
func (c *conn) hold(what holding, bytes int) {
	if bytes < leastHeld {
		bytes = 0
	}
	if c.held[what].Load() == int64(bytes) {
		return
	}
	c.holding.Lock()
	more := int64(bytes) - c.held[what].Swap(int64(bytes))
	c.share.held.Add(more)
	c.holding.Unlock()
	if all := c.s.held.Add(more); more > 0 && all > int64(c.s.cfg.MaxMemory) {
		select {
		case c.s.crowded <- struct{}{}:
		default:
		}
	}
}

// mayHold refuses a connection so many bytes of a kind if its account holds too much with them. What a connection holds now
// may be part of them. It does so a little below the limit: whoever is found beyond it is cut off.
func (c *conn) mayHold(bytes int) error {
	if bytes < leastHeld {
		return nil
	}
	c.holding.Lock()
	defer c.holding.Unlock()
	if limit := c.share.limit; c.share.held.Load() > limit-limit/16 {
		return crowdedError(limit)
	}
	return nil
}

// letGo notes that the connection holds nothing any more.
func (c *conn) letGo() {
	for what := range holdings {
		c.hold(what, 0)
	}
	c.s.leave(c.share)
}

// pending is how many bytes wait to be sent to the client.
func (c *conn) pending() int {
	n := int(c.held[heldReplies].Load() + c.held[heldMessage].Load())
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	for _, sub := range c.seen.subs {
		n += sub.QueuedBytes()
	}
	return n
}

// outputLimit is the limit for the client.
func (c *conn) outputLimit() OutputLimit {
	if c.isPubSub() {
		return c.s.cfg.Outputs.PubSub
	}
	return c.s.cfg.Outputs.Normal
}

func (l OutputLimit) exceedsHard(pending int) bool { return l.HardBytes > 0 && pending > l.HardBytes }

// exceeds reports whether a client is beyond its limit for whom some bytes wait. since is when it went beyond the soft limit; zero:
// it was not beyond it when it was looked at before.
func (l OutputLimit) exceeds(pending int, since *time.Time, now time.Time) bool {
	switch {
	case l.exceedsHard(pending):
		return true
	case l.SoftBytes == 0 || pending <= l.SoftBytes:
		*since = time.Time{}
	case since.IsZero():
		*since = now
	default:
		return now.Sub(*since) >= l.SoftTime
	}
	return false
}

// watchMemory closes connections that hold too much, until the server is closed.
func (s *Server) watchMemory() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case <-tick.C:
		case <-s.crowded:
		}
		s.limitMemory()
	}
}

// limitMemory closes the connections that are beyond their limit. If all hold too much together, or those of an account, it closes
// those that hold most, of the account that holds most.
func (s *Server) limitMemory() {
	slow, crowds := s.holders()
	for _, c := range slow {
		c.cutOff()
	}
	total := 0
	for _, of := range crowds {
		total += of.bytes
	}
	for {
		of := slices.MaxFunc(append(crowds, &crowd{}), func(a, b *crowd) int { return cmp.Compare(a.bytes-a.most, b.bytes-b.most) })
		if total > s.cfg.MaxMemory {
			of = slices.MaxFunc(crowds, func(a, b *crowd) int { return cmp.Compare(a.bytes, b.bytes) })
		} else if of.bytes <= of.most {
			return
		}
		h := of.holders[0]
		of.holders, of.bytes, total = of.holders[1:], of.bytes-h.bytes, total-h.bytes
		s.evicted.Add(1)
		h.logger().Warn("a connection of Redis's protocol is closed", "reason", "connections together hold too much", "bytes", h.bytes, "account_bytes", of.bytes+h.bytes, "all_bytes", total+h.bytes)
		h.Close()
	}
}

// holder is a connection that holds memory.
type holder struct {
	*conn
	bytes int
}

// crowd is the connections of a share that hold memory, those that hold most first.
type crowd struct {
	holders []holder
	bytes   int // of all
	most    int // that they may hold
}

// holders are the connections that are beyond their own limit, and the others that hold memory.
func (s *Server) holders() (slow []*conn, crowds []*crowd) {
	now := s.now()
	of := map[*share]*crowd{}
	s.conns.Each(func(c *conn) {
		if c.Life.Err() != nil {
			return // it is about to let go
		}
		pending := c.pending()
		if c.outputLimit().exceeds(pending, &c.softSince, now) {
			slow = append(slow, c)
			return
		}
		bytes := pending + int(c.held[heldRequests].Load()+c.held[heldMulti].Load()+c.held[heldNames].Load())
		if bytes == 0 {
			return
		}
		c.holding.Lock()
		sh := c.share
		c.holding.Unlock()
		if of[sh] == nil {
			of[sh] = &crowd{most: int(sh.limit)}
			crowds = append(crowds, of[sh])
		}
		of[sh].holders, of[sh].bytes = append(of[sh].holders, holder{c, bytes}), of[sh].bytes+bytes
	})
	for _, c := range crowds {
		slices.SortFunc(c.holders, func(a, b holder) int { return cmp.Compare(b.bytes, a.bytes) })
	}
	return slow, crowds
}

// cutOff closes the connection of a client that does not read fast enough.
func (c *conn) cutOff() {
	c.s.cutOff.Add(1)
	c.logger().Warn("a connection of Redis's protocol is closed", "reason", "more waits to be sent to the client than its limit allows", "bytes", c.pending())
	c.Close()
}

// String is the limit as CONFIG shows it.
func (l OutputLimit) String() string {
	return strconv.Itoa(l.HardBytes) + " " + strconv.Itoa(l.SoftBytes) + " " + strconv.Itoa(int(l.SoftTime/time.Second))
}

// String is the limits as CONFIG shows them. There are no replicas.
func (l OutputLimits) String() string {
	return "normal " + l.Normal.String() + " slave 0 0 0 pubsub " + l.PubSub.String()
}
