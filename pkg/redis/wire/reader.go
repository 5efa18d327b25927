package wire

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Bounds of requests.
const (
	maxElements     = 1 << 20           // of a request
	maxBulk         = 10<<20 + 64<<10   // bytes of one element: what the engine takes at most, and a little
	maxRequest      = 32 << 20          // bytes of a request
	maxLine         = 64 << 10          // bytes of a header, and of a request that is a line
	strangeElements = 10                // of a request before a login
	strangeBulk     = 16 << 10          // bytes of one element before a login
	bulkAhead       = 1 << 20           // bytes that are made room for before any of them has arrived
	largeRequest    = 4 << 10           // bytes from which on it is not looked at again for each byte that arrives
	smallBounds     = 64                // elements of bounds that are kept for the next request
	emptyElement    = len("$0\r\n\r\n") // bytes that an element takes at least
	elementBytes    = 24                // bytes that an element takes in memory besides its own: millions of empty ones are much, too
)

// protocolError is what a client has sent that is no request. The connection ends behind its text.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// errHTTP ends a connection whose client speaks HTTP, errTLS one whose client wants TLS. They get no answer.
var (
	errHTTP = fmt.Errorf("the client speaks HTTP")
	errTLS  = fmt.Errorf("the client speaks TLS, and this port does not")
)

// reader reads requests: arrays of bulk strings, or lines of words.
//
// A request that fits into the buffer is decoded in one go, once it is there. A larger one is decoded
// element by element: then part is what there is of it.
type reader struct {
	src     io.Reader
	raw     *rawReader // reads from src; nil: src is not of TCP
	strange bool       // nobody has logged in: bounds are close
	fresh   bool       // no byte has been read yet

	pools *bufferPools
	taken *[]byte // of the pools: the buffer; nil: there is none
	full  bool    // the last read has filled the buffer

	buf        []byte
	start, end int // buf[start:end] has arrived and is not decoded
	need       int // bytes that must have arrived before it makes sense to look again
	bounds     []int
	read       int64 // bytes of all requests that were decoded
	fills      int   // calls of fill

	part *partial
}

// partial is a request of which some elements have arrived.
type partial struct {
	left  int // elements that are missing
	args  []string
	bytes int    // of the whole request, as far as its headers have arrived
	kept  int    // of args
	bulk  []byte // of the element that is arriving
	size  int    // of that element; -1: its header has not arrived
}

func newReader(src io.Reader, pools *bufferPools) *reader {
	r := &reader{src: src, strange: true, fresh: true, pools: pools}
	r.raw = newRawReader(src, r.room, r.dropIfEmpty)
	return r
}

// room is where the next bytes are read into.
func (r *reader) room() []byte {
	if r.taken == nil {
		size := smallBuffer
		if r.raw == nil {
			size = tinyBuffer
		}
		r.taken = r.pools.get(size)
		r.buf = *r.taken
	}
	return r.buf[r.end:]
}

// dropIfEmpty gives the buffer back if there is nothing in it.
func (r *reader) dropIfEmpty() {
	if r.end == 0 {
		r.close()
		r.full = false
	}
}

// close gives the buffer back, if there is one, and forgets what is in it.
func (r *reader) close() {
	if r.taken != nil {
		r.pools.put(r.taken)
	}
	r.taken, r.buf, r.start, r.end = nil, nil, 0, 0
	if cap(r.bounds) > smallBounds {
		r.bounds = nil
	}
}

// held is how many bytes the reader holds of requests that were not carried out.
func (r *reader) held() int {
	n := r.end - r.start
	if r.part != nil {
		n += r.part.kept + elementBytes*len(r.part.args) + cap(r.part.bulk)
	}
	return n
}

// fill waits until more has arrived.
func (r *reader) fill() error {
	r.fills++
	if r.part != nil && r.part.size >= 0 && r.start == r.end {
		return r.fillBulk()
	}
	r.makeRoom()
	var n int
	var err error
	if r.raw != nil {
		n, err = r.raw.read()
	} else {
		n, err = r.src.Read(r.room())
	}
	if r.end += n; n == 0 {
		return err
	}
	r.full = r.end == len(r.buf)
	if r.fresh {
		if r.fresh = false; r.buf[0] == 0x16 {
			return errTLS
		}
	}
	return nil
}

// hasRoom reports whether more can be read before what has arrived is decoded.
func (r *reader) hasRoom() bool {
	if p := r.part; p != nil && p.size >= 0 && r.start == r.end {
		return len(p.bulk) < p.size+2
	}
	return r.end-r.start < largeBuffer
}

// makeRoom moves what has arrived to the front, and gets a larger buffer, or gives it back.
func (r *reader) makeRoom() {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	switch {
	case len(r.buf) < largeBuffer && (r.full || r.need > len(r.buf)):
		large := r.pools.get(largeBuffer)
		n := copy(*large, r.buf[:r.end])
		r.close()
		r.taken, r.buf, r.end = large, *large, n
	case r.end == 0 && !r.full && r.part == nil:
		r.close()
	}
}

// fillBulk reads into the element that is arriving. Room is made for it as it arrives.
func (r *reader) fillBulk() error {
	p := r.part
	if len(p.bulk) == cap(p.bulk) {
		larger := make([]byte, len(p.bulk), min(p.size+2, max(2*cap(p.bulk), bulkAhead)))
		copy(larger, p.bulk)
		p.bulk = larger
	}
	n, err := r.src.Read(p.bulk[len(p.bulk):min(cap(p.bulk), p.size+2)])
	if p.bulk = p.bulk[:len(p.bulk)+n]; n > 0 {
		return nil
	}
	return err
}

// next decodes the next request that has arrived. It is not ok if more must be read for that.
func (r *reader) next() (args []string, ok bool, err error) {
	for {
		if r.part != nil {
			args, ok, err = r.nextElements()
		} else if r.end-r.start == 0 || r.end-r.start < r.need {
			return nil, false, nil
		} else {
			args, ok, err = r.nextWhole()
			if !ok && r.part != nil {
				continue // what has arrived of its elements is not decoded yet
			}
		}
		if err != nil || !ok || len(args) > 0 {
			return args, ok, err
		}
	}
}

// nextWhole decodes a request that is in the buffer. An empty one has no elements.
func (r *reader) nextWhole() (args []string, ok bool, err error) {
	b := r.buf[r.start:r.end]
	if b[0] != '*' {
		return r.nextLine(b)
	}
	n, pos, ok, err := r.header(b, 0, "invalid multibulk length", "too big mbulk count string")
	if !ok || err != nil {
		return nil, false, err
	}
	switch {
	case n > maxElements:
		return nil, false, protocolError("invalid multibulk length")
	case n > strangeElements && r.strange:
		return nil, false, protocolError("unauthenticated multibulk length")
	case n <= 0:
		r.consume(pos)
		return nil, true, nil
	}
	r.bounds = r.bounds[:0]
	for left := n; left > 0; left-- {
		size, body, ok, err := r.element(b, pos)
		if err != nil {
			return nil, false, err
		}
		if !ok || body+size+2 > len(b) {
			r.await(b, pos, left, size, body)
			return nil, false, nil
		}
		r.bounds = append(r.bounds, body, body+size)
		pos = body + size + 2
	}
	// One string for all elements is one allocation, and what is between them is short.
	first := r.bounds[0]
	text := string(b[first : pos-2])
	args = make([]string, n)
	for i := range args {
		args[i] = text[r.bounds[2*i]-first : r.bounds[2*i+1]-first]
	}
	r.consume(pos)
	return args, true, nil
}

// await notes how much must arrive before it makes sense to look again at a request of which left elements are
// missing, the first of them at pos. If the request cannot fit into the buffer, it is decoded by elements from now on.
func (r *reader) await(b []byte, pos, left, size, body int) {
	at, missing := pos, left
	r.need = len(b) + 1
	if body > 0 {
		r.need = body + size + 2
		left--
		pos = r.need
	}
	if pos > largeRequest {
		r.need = max(r.need, pos+left*emptyElement)
	}
	if r.need <= largeBuffer {
		return
	}
	p := &partial{left: missing, size: -1, bytes: at}
	for i := 0; i < len(r.bounds); i += 2 {
		p.args = append(p.args, string(b[r.bounds[i]:r.bounds[i+1]]))
		p.kept += r.bounds[i+1] - r.bounds[i]
	}
	r.consume(at)
	r.part = p
}

// consume passes over n bytes that were decoded.
func (r *reader) consume(n int) {
	r.start += n
	r.read += int64(n)
	r.need = 0
}

// nextElements goes on with a request that is decoded by elements.
func (r *reader) nextElements() (args []string, ok bool, err error) {
	p := r.part
	for p.left > 0 {
		if p.size < 0 {
			b := r.buf[r.start:r.end]
			size, body, ok, err := r.element(b, 0)
			if err != nil || !ok {
				return nil, false, err
			}
			if p.bytes += body + size + 2; p.bytes > maxRequest {
				return nil, false, protocolError("invalid bulk length")
			}
			r.consume(body)
			p.size, p.bulk = size, make([]byte, 0, min(size+2, bulkAhead))
		}
		n := min(p.size+2-len(p.bulk), r.end-r.start)
		p.bulk = append(p.bulk, r.buf[r.start:r.start+n]...)
		r.consume(n)
		if len(p.bulk) < p.size+2 {
			return nil, false, nil
		}
		p.args = append(p.args, string(p.bulk[:p.size]))
		p.kept += p.size
		p.left--
		p.size, p.bulk = -1, nil
	}
	r.part = nil
	return p.args, true, nil
}

// element decodes the header of an element at pos: how long the element is, and where it begins. It is
// not ok if the header has not arrived.
func (r *reader) element(b []byte, pos int) (size, body int, ok bool, err error) {
	if pos == len(b) {
		return 0, 0, false, nil
	}
	if b[pos] != '$' {
		return 0, 0, false, protocolError(fmt.Sprintf("expected '$', got '%s'", printableByte(b[pos])))
	}
	size, body, ok, err = r.header(b, pos, "invalid bulk length", "too big bulk count string")
	switch {
	case err != nil || !ok:
		return 0, 0, false, err
	case size < 0 || size > maxBulk:
		return 0, 0, false, protocolError("invalid bulk length")
	case size > strangeBulk && r.strange:
		return 0, 0, false, protocolError("unauthenticated bulk length")
	}
	return size, body, true, nil
}

// printableByte is a byte in an error's text.
func printableByte(c byte) string {
	if c < ' ' || c > '~' {
		return "?"
	}
	return string(rune(c))
}

// header decodes a line at pos: a type, and a number. It returns where the next one begins.
func (r *reader) header(b []byte, pos int, invalid, tooLong protocolError) (n, next int, ok bool, err error) {
	i := bytes.IndexByte(b[pos:], '\n')
	if i < 0 {
		if len(b)-pos > maxLine {
			return 0, 0, false, tooLong
		}
		return 0, 0, false, nil
	}
	line := b[pos+1 : pos+i]
	if len(line) == 0 || line[len(line)-1] != '\r' {
		return 0, 0, false, invalid
	}
	if n, ok = number(line[:len(line)-1]); !ok {
		return 0, 0, false, invalid
	}
	return n, pos + i + 1, true, nil
}

// number reads an integer without a leading zero or sign, but for a minus.
func number(b []byte) (n int, ok bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 10 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if len(digits) < len(b) {
		n = -n
	}
	return n, n < 1<<31
}

// nextLine decodes a request that is a line of words, as people type them.
func (r *reader) nextLine(b []byte) (args []string, ok bool, err error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		if len(b) > maxLine {
			return nil, false, protocolError("too big inline request")
		}
		r.need = len(b) + 1
		return nil, false, nil
	}
	line := bytes.TrimSuffix(b[:i], []byte{'\r'})
	if isHTTP(line) {
		return nil, false, errHTTP
	}
	if args, ok = splitLine(line); !ok {
		return nil, false, protocolError("unbalanced quotes in request")
	}
	if r.strange && len(args) > strangeElements {
		return nil, false, protocolError("unauthenticated multibulk length")
	}
	r.consume(i + 1)
	return args, true, nil
}

// isHTTP recognizes a request of HTTP: a browser may be made to send one here.
func isHTTP(line []byte) bool {
	word, _, _ := bytes.Cut(line, []byte{' '})
	return bytes.EqualFold(word, []byte("POST")) || bytes.EqualFold(word, []byte("Host:"))
}

// splitLine splits a line at blanks, with quotes as in a shell. It is not ok if they are unbalanced.
func splitLine(line []byte) (words []string, ok bool) {
	for i := 0; ; {
		for i < len(line) && isBlank(line[i]) {
			i++
		}
		if i == len(line) {
			return words, true
		}
		word := []byte{}
		for i < len(line) && !isBlank(line[i]) {
			if line[i] != '"' && line[i] != '\'' {
				word = append(word, line[i])
				i++
				continue
			}
			quoted, n, ok := unquote(line[i:])
			if i += n; !ok || i < len(line) && !isBlank(line[i]) {
				return nil, false
			}
			word = append(word, quoted...)
		}
		words = append(words, string(word))
	}
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' || c == 0 }

// unquote reads a word in quotes, and returns how many bytes it takes with them.
func unquote(b []byte) (word []byte, n int, ok bool) {
	quote := b[0]
	for i := 1; i < len(b); i++ {
		c := b[i]
		switch {
		case c == quote:
			return word, i + 1, true
		case c != '\\' || i+1 == len(b):
		case quote == '\'':
			if b[i+1] == '\'' {
				i++
				c = '\''
			}
		case b[i+1] == 'x' && i+3 < len(b) && isHex(b[i+2]) && isHex(b[i+3]):
			v, _ := strconv.ParseUint(string(b[i+2:i+4]), 16, 8)
			c = byte(v)
			i += 3
		default:
			i++
			if c = b[i]; c >= 'a' {
				if e := bytes.IndexByte([]byte("nrtba"), c); e >= 0 {
					c = "\n\r\t\b\a"[e]
				}
			}
		}
		word = append(word, c)
	}
	return nil, len(b), false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
