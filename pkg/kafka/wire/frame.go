package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

// How large requests may be, in bytes.
const (
	largeFrame   = 32 << 20 // of Produce
	groupFrame   = 2 << 20  // of JoinGroup and SyncGroup, which have what members tell each other
	smallFrame   = 1 << 20  // of all others
	unknownFrame = 64 << 10 // before authentication

	// hostileFactor is how many bytes kmsg allocates at most for a byte of a request.
	hostileFactor = 80
)

// errFrame means that a client does not speak the protocol.
var errFrame = errors.New("malformed request")

const (
	lengthSize = 4
	// headerSize is the part of a request's header that all have: key, version and correlation id.
	headerSize = 8
)

// frame is a request as it was read.
type frame struct {
	api         *api
	key         int16
	version     int16
	correlation int32
	client      string
	body        []byte              // behind the header
	own         *share              // whose memory the request takes
	conn        *semaphore.Weighted // see source
	arrived     int64               // bytes of memory that it has taken as it came
	decoded     int64               // bytes that it has taken to be decoded
}

// source is where requests come from.
type source struct {
	r     io.Reader
	bound int                  // of a request's size, besides what the table says
	own   *share               // see frame
	conn  *semaphore.Weighted  // connRequest, of the connection; nil: that is not counted
	begun func(size int) error // is called when a request begins: the rest, of so many bytes, has to come soon
}

// readFrame reads a request. Of a stranger it reads little, and counts nothing until it is there: strangers
// who send nothing hold up nobody.
func (s *Server) readFrame(ctx context.Context, from source) (*frame, error) {
	var head [lengthSize + headerSize]byte
	if _, err := io.ReadFull(from.r, head[:lengthSize]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < headerSize || size > from.bound {
		return nil, fmt.Errorf("%w: a length of %d bytes", errFrame, size)
	}
	if err := from.begun(size); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(from.r, head[lengthSize:]); err != nil {
		return nil, err
	}
	f := &frame{
		key:         int16(binary.BigEndian.Uint16(head[4:])),
		version:     int16(binary.BigEndian.Uint16(head[6:])),
		correlation: int32(binary.BigEndian.Uint32(head[8:])),
		own:         from.own,
		conn:        from.conn,
	}
	f.api = s.byKey(f.key)
	if f.api == nil {
		return nil, fmt.Errorf("%w: unknown request %d", errFrame, f.key)
	}
	if !f.isServed() && f.key != keyAPIVersions {
		return nil, fmt.Errorf("%w: version %d of request %d", errFrame, f.version, f.key)
	}
	size -= headerSize
	if size > f.api.largest() {
		return nil, fmt.Errorf("%w: request %d of %d bytes", errFrame, f.key, size)
	}
	if err := s.arrive(ctx, f, int64(size)); err != nil {
		return nil, err
	}
	f.body = make([]byte, size)
	if _, err := io.ReadFull(from.r, f.body); err != nil {
		s.release(f)
		return nil, err
	}
	return f, nil
}

func (a *api) largest() int {
	if a.maxFrame > 0 {
		return a.maxFrame
	}
	return smallFrame
}

func (f *frame) isServed() bool { return f.version >= f.api.min && f.version <= f.api.max }

// decode decodes a request. Of one in a version that is not served, which can only be ApiVersions, it
// decodes nothing. The result shares memory with the frame.
func (s *Server) decode(ctx context.Context, f *frame) (kmsg.Request, error) {
	req := kmsg.RequestForKey(f.key)
	if !f.isServed() {
		return req, nil
	}
	req.SetVersion(f.version)
	d := cursor{b: f.body}
	f.client = d.nullableString(false)
	flexible := req.IsFlexible()
	if flexible {
		d.tags()
	}
	if d.bad {
		return nil, fmt.Errorf("%w: the header of request %d", errFrame, f.key)
	}
	cost := hostileFactor * len(d.b)
	if f.api.weigh != nil {
		var err error
		if cost, err = f.api.weigh(d.b, f.version, flexible); err != nil {
			return nil, err
		}
	}
	if err := s.charge(ctx, f, int64(cost)); err != nil {
		return nil, err
	}
	if err := unsafeRead(req, d.b); err != nil {
		return nil, fmt.Errorf("%w: request %d version %d: %w", errFrame, f.key, f.version, err)
	}
	return req, nil
}

// unsafeRead decodes a request without copying its strings and bytes, if it can.
func unsafeRead(req kmsg.Request, body []byte) error {
	if r, ok := req.(kmsg.UnsafeReadFrom); ok {
		return r.UnsafeReadFrom(body)
	}
	return req.ReadFrom(body)
}

// appendAnswer appends a frame with an answer.
func appendAnswer(b []byte, correlation int32, resp kmsg.Response) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	if resp.IsFlexible() && resp.Key() != keyAPIVersions {
		b = append(b, 0) // no tags
	}
	b = resp.AppendTo(b)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-lengthSize))
	return b
}

// cursor takes values of the protocol off bytes. Once something was wrong, bad stays true.
type cursor struct {
	b      []byte
	bad    bool
	tagged int // tagged fields that it has passed over
}

func (c *cursor) take(n int) []byte {
	if c.bad = c.bad || n < 0 || n > len(c.b); c.bad {
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) uvarint() int {
	n, width := binary.Uvarint(c.b)
	if c.bad = c.bad || width <= 0 || n > 1<<31; c.bad {
		return 0
	}
	c.b = c.b[width:]
	return int(n)
}

// nullableString is a string; "" for none.
func (c *cursor) nullableString(flexible bool) string {
	n := 0
	if flexible {
		n = c.uvarint() - 1
	} else {
		n = int(c.int16())
	}
	if n < 0 {
		c.bad = c.bad || n < -1
		return ""
	}
	return string(c.take(n))
}

// skipBytes passes over bytes that may be null.
func (c *cursor) skipBytes(flexible bool) {
	n := 0
	if flexible {
		n = c.uvarint() - 1
	} else {
		n = int(c.int32())
	}
	if n >= 0 {
		c.take(n)
	}
}

// array is the number of elements of an array, each of at least a size.
func (c *cursor) array(flexible bool, size int) int {
	n := 0
	if flexible {
		n = c.uvarint() - 1
	} else {
		n = int(c.int32())
	}
	if c.bad = c.bad || n > len(c.b)/size; c.bad || n < 0 {
		return 0
	}
	return n
}

// tags passes over tagged fields.
func (c *cursor) tags() {
	for n := c.uvarint(); n > 0 && !c.bad; n-- {
		c.tagged++
		c.uvarint()
		c.take(c.uvarint())
	}
}

// What the requests may have that are weighed by their elements.
const (
	maxPartitions = 100_000 // that one request names
	maxMembers    = 10_000  // protocols in a JoinGroup, or members in a SyncGroup
	maxTagged     = 10_000  // tagged fields: clients send none that the protocol does not know yet

	// taggedCost is what kmsg allocates at most for a tagged field: a map, for the first of an element.
	taggedCost = 512
)

// weight is how many bytes kmsg will allocate for a request of so many elements that the cursor has gone over. The error is errFrame.
func (c *cursor) weight(key int16, elements int) (int, error) {
	switch {
	case c.bad:
		return 0, fmt.Errorf("%w: %s", errFrame, kmsg.NameForKey(key))
	case c.tagged > maxTagged:
		return 0, fmt.Errorf("%w: %s with more than %d tagged fields", errFrame, kmsg.NameForKey(key), maxTagged)
	}
	return elements*hostileFactor + c.tagged*taggedCost, nil
}

// weighProduce goes over a Produce request and returns how many bytes kmsg will allocate. The error is errFrame.
func weighProduce(body []byte, version int16, flexible bool) (int, error) {
	c := cursor{b: body}
	if version >= 3 {
		c.nullableString(flexible)
	}
	c.int16() // acks
	c.int32() // timeout
	count := 0
	for topics := c.array(flexible, 3); topics > 0 && !c.bad; topics-- {
		c.nullableString(flexible)
		partitions := c.array(flexible, 5)
		if count += 1 + partitions; count > maxPartitions {
			return 0, fmt.Errorf("%w: more than %d partitions", errFrame, maxPartitions)
		}
		for ; partitions > 0 && !c.bad; partitions-- {
			c.int32()
			c.skipBytes(flexible)
			if flexible {
				c.tags()
			}
		}
		if flexible {
			c.tags()
		}
	}
	if flexible {
		c.tags()
	}
	return c.weight(keyProduce, count)
}

// weighJoinGroup is weighProduce for a JoinGroup request. One waits for other members, so that what it takes is held for long.
func weighJoinGroup(body []byte, version int16, flexible bool) (int, error) {
	c := cursor{b: body}
	c.nullableString(flexible) // group
	c.int32()                  // session timeout
	if version >= 1 {
		c.int32() // rebalance timeout
	}
	c.nullableString(flexible) // member
	if version >= 5 {
		c.nullableString(flexible) // instance
	}
	c.nullableString(flexible) // type of protocols
	count := c.namedBytes(flexible)
	if version >= 8 {
		c.nullableString(flexible) // reason
	}
	if flexible {
		c.tags()
	}
	return c.weightOfMembers(keyJoinGroup, count)
}

// weighSyncGroup is weighProduce for a SyncGroup request, which waits like JoinGroup.
func weighSyncGroup(body []byte, version int16, flexible bool) (int, error) {
	c := cursor{b: body}
	c.nullableString(flexible) // group
	c.int32()                  // generation
	c.nullableString(flexible) // member
	if version >= 3 {
		c.nullableString(flexible) // instance
	}
	if version >= 5 {
		c.nullableString(flexible) // type of protocols
		c.nullableString(flexible) // protocol
	}
	count := c.namedBytes(flexible)
	if flexible {
		c.tags()
	}
	return c.weightOfMembers(keySyncGroup, count)
}

// namedBytes passes over an array of names with bytes, and returns how many there are.
func (c *cursor) namedBytes(flexible bool) int {
	count := c.array(flexible, 3)
	for n := count; n > 0 && !c.bad && count <= maxMembers; n-- {
		c.nullableString(flexible)
		c.skipBytes(flexible)
		if flexible {
			c.tags()
		}
	}
	return count
}

func (c *cursor) weightOfMembers(key int16, count int) (int, error) {
	if count > maxMembers {
		return 0, fmt.Errorf("%w: %s with more than %d protocols or members", errFrame, kmsg.NameForKey(key), maxMembers)
	}
	return c.weight(key, count)
}
