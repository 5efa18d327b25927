package wire

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// What connections hold in memory, and what they may.
//
// A client that does not read is held up: nothing more is carried out for it, so its replies are bounded. A
// subscriber's messages wait in its subscription, up to a megabyte, and beyond that in the database. On top of these bounds
// there are Redis's limits of output buffers, and one for what all connections hold together.

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
	holdings
)

// hold notes how much memory the connection holds for something now.
func (c *conn) hold(what holding, bytes int) {
	if bytes < leastHeld {
		bytes = 0
	}
	if c.held[what].Load() == int64(bytes) {
		return
	}
	more := int64(bytes) - c.held[what].Swap(int64(bytes))
	if all := c.s.held.Add(more); more > 0 && all > int64(c.s.cfg.MaxMemory) {
		select {
		case c.s.crowded <- struct{}{}:
		default:
		}
	}
}

// letGo notes that the connection holds nothing any more.
func (c *conn) letGo() {
	for what := range holdings {
		c.hold(what, 0)
	}
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

// limitMemory closes the connections that are beyond their limit, and if all hold too much together, those that hold most.
func (s *Server) limitMemory() {
	type holder struct {
		*conn
		bytes int
	}
	var all []holder
	var slow []*conn
	total, now := 0, s.now()
	s.conns.Each(func(c *conn) {
		if c.Life.Err() != nil {
			return // it is about to let go
		}
		pending := c.pending()
		if c.outputLimit().exceeds(pending, &c.softSince, now) {
			slow = append(slow, c)
			return
		}
		bytes := pending + int(c.held[heldRequests].Load()+c.held[heldMulti].Load())
		if bytes > 0 {
			total += bytes
			all = append(all, holder{c, bytes})
		}
	})
	for _, c := range slow {
		c.cutOff()
	}
	if total <= s.cfg.MaxMemory {
		return
	}
	slices.SortFunc(all, func(a, b holder) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, h := range all {
		s.evicted.Add(1)
		h.logger().Warn("a connection of Redis's protocol is closed", "reason", "all connections together hold too much", "bytes", h.bytes, "all_bytes", total)
		h.Close()
		if total -= h.bytes; total <= s.cfg.MaxMemory {
			return
		}
	}
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
