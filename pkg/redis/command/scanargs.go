package command

import (
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// scanOptions are the arguments of SCAN, HSCAN, SSCAN and ZSCAN.
type scanOptions struct {
	cursor   uint64
	match    string // pattern
	all      bool   // no pattern: everything matches
	count    int
	typ      string // of SCAN; "" for all
	withType bool   // of SCAN
	noValues bool   // of HSCAN
}

// How many keys SCAN examines without COUNT: more if it is to find some among others. Redis's 10 would
// make every few keys a request, each of which is billed and takes a round trip.
const (
	scanCount      = 100
	scanMatchCount = 1000
)

// parseScan reads a cursor at argument i and the options behind it.
func parseScan(c *Call, i int) (scanOptions, error) {
	o := scanOptions{all: true}
	var ok bool
	if o.cursor, ok = parseCursor(c.Args[i]); !ok {
		return o, errCursor
	}
	name := c.Command.Name
	for i++; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch {
		case c.Is(i, "match") && more:
			i++
			o.match, o.all = c.Args[i], c.Args[i] == "*"
		case c.Is(i, "count") && more:
			i++
			n, ok := num.ParseInt(c.Args[i])
			if !ok {
				return o, ErrNotInteger
			}
			if n < 1 {
				return o, ErrSyntax
			}
			o.count = int(min(n, keyspace.MaxScanCount))
		case name == "scan" && c.Is(i, "type") && more:
			i++
			o.typ = c.Args[i]
		case name == "scan" && c.Is(i, "withtype"):
			o.withType = true
		case name == "hscan" && c.Is(i, "novalues"):
			o.noValues = true
		default:
			return o, ErrSyntax
		}
	}
	switch {
	case o.count > 0:
	case name != "scan":
		o.count = 10
	case o.all && o.typ == "":
		o.count = scanCount
	default:
		o.count = scanMatchCount
	}
	return o, nil
}

// scanValue carries out HSCAN, SSCAN and ZSCAN: read is the value at a key, nil if there is none, scan its elements from a
// cursor on, and write replies with an element, if it matches, and returns how many parts of the reply that was.
func scanValue[V, E any](c *Call, read func(key string) (*V, error), scan func(v *V, cursor uint64, count int) ([]E, uint64),
	write func(e E, opts *scanOptions) int) error {
	opts, perr := parseScan(c, 2)
	if perr == errCursor {
		return perr
	}
	v, err := read(c.Args[1])
	if err != nil {
		return err
	}
	if v == nil { // Redis looks for the key before it looks at the options
		c.W.Array(2)
		c.W.Bulk("0")
		c.W.Array(0)
		return nil
	}
	if perr != nil {
		return perr
	}
	elements, next := scan(v, opts.cursor, opts.count)
	c.W.Array(2)
	c.W.Bulk(formatCursor(next))
	mark, n := c.W.Mark(), 0
	for _, e := range elements {
		n += write(e, &opts)
	}
	c.W.ArrayAt(mark, n)
	return nil
}

// parseCursor reads a cursor as Redis does: the empty one is 0, a plus sign is allowed. We give
// out none with more than CursorBits bits; what is larger means the end.
func parseCursor(s string) (uint64, bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 64)
	if err != nil {
		return 0, false
	}
	return min(n, 1<<keyspace.CursorBits-1), true
}

// matches reports whether a name is asked for.
func (o scanOptions) matches(tx *keyspace.Txn, name string) bool {
	return o.all || tx.Matches(o.match, name)
}

func formatCursor(n uint64) string { return strconv.FormatUint(n, 10) }

// bounded stops a command whose reply, begun at mark, has become too large.
func (c *Call) bounded(mark int) error {
	if n := c.W.Len() - mark; n > c.Host.MaxReply {
		return ErrReplySize(c.Host.MaxReply, n)
	}
	return nil
}
