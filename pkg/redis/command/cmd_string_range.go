package command

import (
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// APPEND, STRLEN, GETRANGE, SUBSTR, SETRANGE, LCS, DIGEST, DELEX.

func stringRangeCommands() []*Command {
	return []*Command{
		{Name: "append", Arity: 3, Flags: Write | DenyOOM | Fast, Keys: OneKey, Use: "RW insert", Event: "append", Group: "string", Since: "2.0.0", Summary: "Appends to the value of a key.", Run: appendTo},
		{Name: "strlen", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Use: "RO", Group: "string", Since: "2.2.0", Summary: "Returns the length of a value in bytes.", Run: strlen},
		{Name: "getrange", Arity: 4, Flags: ReadOnly, Keys: OneKey, Group: "string", Since: "2.4.0", Summary: "Returns a part of a value.", Run: getrange},
		{Name: "substr", Arity: 4, Flags: ReadOnly, Keys: OneKey, Group: "string", Since: "1.0.0", Summary: "Returns a part of a value (old name of GETRANGE).", Run: getrange},
		{Name: "setrange", Arity: 4, Flags: Write | DenyOOM, Keys: OneKey, Use: "RW update", Event: "setrange", Group: "string", Since: "2.2.0", Summary: "Overwrites a part of a value.", Run: setrange},
		{Name: "lcs", Arity: -3, Flags: ReadOnly, Keys: TwoKeys, Group: "string", Since: "7.0.0", Summary: "Finds the longest common subsequence of two values.", Run: lcs},
		{Name: "digest", Arity: 2, Flags: ReadOnly | Fast, Keys: OneKey, Group: "string", Since: "8.4.0", Summary: "Returns the XXH3 digest of a value.", Run: digestOf},
		{Name: "delex", Arity: -2, Flags: Write | Fast, Keys: OneKey, Use: "RW access delete", Group: "string", Since: "8.4.0", Summary: "Deletes a key if its value or digest is, or is not, a given one.", Run: delex},
	}
}

// APPEND key value
func appendTo(c *Call) error {
	size, err := c.Txn.StringLen(c.Args[1])
	if err != nil {
		return err
	}
	n := size + int64(len(c.Args[2]))
	if n > keyspace.MaxRecord {
		return keyspace.ErrRecordSize(n)
	}
	if c.Args[2] != "" || size == 0 {
		c.Txn.AppendString(c.Args[1], c.Args[2])
	}
	c.W.Int(n)
	return nil
}

// STRLEN key
func strlen(c *Call) error {
	n, err := c.Txn.StringLen(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(n)
	return nil
}

// GETRANGE key start end
// SUBSTR key start end
func getrange(c *Call) error {
	start, err := c.Int(2)
	if err != nil {
		return err
	}
	end, err := c.Int(3)
	if err != nil {
		return err
	}
	n, err := c.Txn.StringLen(c.Args[1])
	if err != nil {
		return err
	}
	if start < 0 && end < 0 && start > end {
		c.W.Bulk("")
		return nil
	}
	if start < 0 {
		start = max(start+n, 0)
	}
	if end < 0 {
		end = max(end+n, 0)
	}
	end = min(end, n-1)
	if start > end || n == 0 {
		c.W.Bulk("")
		return nil
	}
	if err := c.fits(end - start + 1); err != nil {
		return err
	}
	c.W.Bulk(c.Txn.StringRange(c.Args[1], start, end))
	return nil
}

// SETRANGE key offset value
func setrange(c *Call) error {
	offset, err := c.Int(2)
	if err != nil {
		return err
	}
	if offset < 0 {
		return errOffset
	}
	n, err := c.Txn.StringLen(c.Args[1])
	if err != nil {
		return err
	}
	value := c.Args[3]
	if value == "" {
		c.W.Int(n)
		return nil
	}
	end := offset + int64(len(value))
	if end > maxBulk || end < 0 {
		return errTooBig
	}
	if end > keyspace.MaxRecord {
		return keyspace.ErrRecordSize(end)
	}
	size := max(end, n)
	s, err := c.Txn.StringToRewrite(c.Args[1], size)
	if err != nil {
		return err
	}
	buf := make([]byte, size)
	copy(buf, s)
	copy(buf[offset:], value)
	c.Txn.SetString(c.Args[1], keyspace.Given(buf), true)
	c.W.Int(size)
	return nil
}

// maxBulk is Redis's limit of a string, in bytes.
const maxBulk = 512 << 20

// maxLCS bounds the work of LCS: the product of the two lengths.
const maxLCS = 64 << 20

// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]
func lcs(c *Call) error {
	var length, idx, withLen bool
	minLen := int64(0)
	for i := 3; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "len"):
			length = true
		case c.Is(i, "idx"):
			idx = true
		case c.Is(i, "withmatchlen"):
			withLen = true
		case c.Is(i, "minmatchlen") && i+1 < len(c.Args):
			i++
			n, ok := num.ParseInt(c.Args[i])
			if !ok {
				return ErrNotInteger
			}
			minLen = max(n, 0)
		default:
			return ErrSyntax
		}
	}
	a, _, errA := c.Txn.String(c.Args[1])
	b, _, errB := c.Txn.String(c.Args[2])
	if errA != nil || errB != nil {
		return Error("ERR The specified keys must contain string values")
	}
	if length && idx {
		return Error("ERR If you want both the length and indexes, please just use IDX.")
	}
	if int64(len(a)+1)*int64(len(b)+1) > maxLCS {
		return Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
	}
	if c.Txn.Spend(8 * int64(len(a)+1) * int64(len(b)+1)); c.Txn.Err() != nil {
		return c.Txn.Err()
	}
	if table := 4 * int64(len(a)+1) * int64(len(b)+1); table > 0 {
		c.Txn.Hold(table)
		defer c.Txn.Hold(-table)
	}
	if c.Txn.Err() != nil {
		return c.Txn.Err()
	}
	seq, runs := longestCommon(a, b)
	switch {
	case length:
		c.W.Int(int64(len(seq)))
	case !idx:
		c.W.Bulk(seq)
	default:
		runs = slices.DeleteFunc(runs, func(r commonRun) bool { return r.n < minLen })
		c.W.Map(2)
		c.W.Bulk("matches")
		c.W.Array(len(runs))
		for _, r := range runs {
			c.W.Array(2 + b2i(withLen))
			for _, from := range []int64{r.a, r.b} {
				c.W.Array(2)
				c.W.Int(from)
				c.W.Int(from + r.n - 1)
			}
			if withLen {
				c.W.Int(r.n)
			}
		}
		c.W.Bulk("len")
		c.W.Int(int64(len(seq)))
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// commonRun is a run of n bytes that a, from index a on, and b, from index b on, share.
type commonRun struct{ a, b, n int64 }

// longestCommon returns a longest common subsequence and its runs from the last to the first.
func longestCommon(a, b string) (string, []commonRun) {
	width := len(b) + 1
	table := make([]uint32, (len(a)+1)*width)
	for i := 1; i <= len(a); i++ {
		row, above := table[i*width:], table[(i-1)*width:]
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				row[j] = above[j-1] + 1
			} else {
				row[j] = max(above[j], row[j-1])
			}
		}
	}
	seq := make([]byte, 0, table[len(table)-1])
	var runs []commonRun
	for i, j := len(a), len(b); i > 0 && j > 0; {
		switch {
		case a[i-1] == b[j-1]:
			i, j = i-1, j-1
			seq = append(seq, a[i])
			if k := len(runs) - 1; k >= 0 && runs[k].a == int64(i)+1 && runs[k].b == int64(j)+1 {
				runs[k].a, runs[k].b, runs[k].n = int64(i), int64(j), runs[k].n+1
			} else {
				runs = append(runs, commonRun{int64(i), int64(j), 1})
			}
		case table[(i-1)*width+j] > table[i*width+j-1]:
			i--
		default:
			j--
		}
	}
	slices.Reverse(seq)
	return string(seq), runs
}

// DIGEST key
func digestOf(c *Call) error {
	s, ok, err := c.Txn.String(c.Args[1])
	if err != nil {
		return err
	}
	c.W.BulkOrNull(digest(s), ok)
	return nil
}

// DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]
func delex(c *Call) error {
	var o setOptions
	switch len(c.Args) {
	case 2:
		c.W.IntBool(c.Txn.Delete(c.Args[1]))
		return nil
	case 4:
		o = setOptions{cond: setConds[strings.ToLower(c.Args[2])], operand: c.Args[3]}
	}
	if o.cond == setAlways {
		return ErrSyntax
	}
	if (o.cond == setIfDeq || o.cond == setIfDne) && len(o.operand) != 16 {
		return errDigest
	}
	s, ok, err := c.Txn.String(c.Args[1])
	if err != nil {
		return err
	}
	met := ok && o.met(ok, s)
	if met {
		c.Txn.Delete(c.Args[1])
	}
	c.W.IntBool(met)
	return nil
}
