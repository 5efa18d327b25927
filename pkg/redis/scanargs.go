package redis

import (
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
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
func parseScan(c *call, i int) (scanOptions, error) {
	o := scanOptions{all: true}
	var ok bool
	if o.cursor, ok = parseCursor(c.args[i]); !ok {
		return o, errCursor
	}
	name := c.cmd.name
	for i++; i < len(c.args); i++ {
		more := i+1 < len(c.args)
		switch {
		case c.is(i, "match") && more:
			i++
			o.match, o.all = c.args[i], c.args[i] == "*"
		case c.is(i, "count") && more:
			i++
			n, ok := num.ParseInt(c.args[i])
			if !ok {
				return o, errNotInteger
			}
			if n < 1 {
				return o, errSyntax
			}
			o.count = int(min(n, maxScanCount))
		case name == "scan" && c.is(i, "type") && more:
			i++
			o.typ = c.args[i]
		case name == "scan" && c.is(i, "withtype"):
			o.withType = true
		case name == "hscan" && c.is(i, "novalues"):
			o.noValues = true
		default:
			return o, errSyntax
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

// parseCursor reads a cursor as Redis does: the empty one is 0, a plus sign is allowed. We give
// out none with more than cursorBits bits; what is larger means the end.
func parseCursor(s string) (uint64, bool) {
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 64)
	if err != nil {
		return 0, false
	}
	return min(n, 1<<cursorBits-1), true
}

// matches reports whether a name is asked for.
func (o scanOptions) matches(tx *Txn, name string) bool { return o.all || tx.matches(o.match, name) }

func formatCursor(n uint64) string { return strconv.FormatUint(n, 10) }

// bounded stops a command whose reply, begun at mark, has become too large.
func (c *call) bounded(mark int) error {
	if n := c.w.Len() - mark; n > c.host.maxReply {
		return errReplySize(c.host.maxReply, n)
	}
	return nil
}
