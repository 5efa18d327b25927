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
	smallFrame   = 2 << 20  // of all others
	unknownFrame = 64 << 10 // before authentication

	// hostileFactor is how many bytes kmsg allocates at most for a byte of a request.
	hostileFactor = 80

	// requestMemory is what the requests of all connections may take at once, as they come, and clusterMemory those
	// of one cluster. Beyond it, connections are not read from.
	requestMemory = 256 << 20
	clusterMemory = requestMemory / 2
	// decodeMemory is what decoding them may take, which nobody has to wait for who has not read a whole request.
	decodeMemory = 256 << 20
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
	own         *semaphore.Weighted // of the cluster, see clusterMemory; nil: the client is a stranger
	arrived     int64               // of requestMemory, and of own
	decoded     int64               // of decodeMemory
}

// source is where requests come from.
type source struct {
	r     io.Reader
	bound int                  // of a request's size, besides what the table says
	own   *semaphore.Weighted  // see frame
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

// arrive takes the memory that a request needs as it comes.
func (s *Server) arrive(ctx context.Context, f *frame, size int64) error {
	if f.own == nil {
		return nil
	}
	if err := f.own.Acquire(ctx, size); err != nil {
		return err
	}
	if err := s.memory.Acquire(ctx, size); err != nil {
		f.own.Release(size)
		return err
	}
	f.arrived = size
	return nil
}

// charge takes the memory that decoding a request needs.
func (s *Server) charge(ctx context.Context, f *frame, cost int64) error {
	if err := s.decoding.Acquire(ctx, cost); err != nil {
		return err
	}
	f.decoded = cost
	return nil
}

// release gives back what a request has taken.
func (s *Server) release(f *frame) {
	if f.arrived > 0 {
		f.own.Release(f.arrived)
		s.memory.Release(f.arrived)
	}
	s.decoding.Release(f.decoded)
	f.arrived, f.decoded = 0, 0
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
	b   []byte
	bad bool
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
		c.uvarint()
		c.take(c.uvarint())
	}
}

// maxPartitions bounds the partitions that one request may name.
const maxPartitions = 100_000

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
	if c.bad {
		return 0, fmt.Errorf("%w: Produce", errFrame)
	}
	return count * hostileFactor, nil
}
