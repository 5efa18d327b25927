package redis

import (
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// APPEND, STRLEN, GETRANGE, SUBSTR, SETRANGE, LCS, DIGEST, DELEX.

func stringRangeCommands() []*command {
	return []*command{
		{name: "append", arity: 3, flags: write | denyoom | fast, keys: oneKey, use: "RW insert", group: "string", since: "2.0.0", summary: "Appends to the value of a key.", run: appendTo},
		{name: "strlen", arity: 2, flags: readonly | fast, keys: oneKey, use: "RO", group: "string", since: "2.2.0", summary: "Returns the length of a value in bytes.", run: strlen},
		{name: "getrange", arity: 4, flags: readonly, keys: oneKey, group: "string", since: "2.4.0", summary: "Returns a part of a value.", run: getrange},
		{name: "substr", arity: 4, flags: readonly, keys: oneKey, group: "string", since: "1.0.0", summary: "Returns a part of a value (old name of GETRANGE).", run: getrange},
		{name: "setrange", arity: 4, flags: write | denyoom, keys: oneKey, use: "RW update", group: "string", since: "2.2.0", summary: "Overwrites a part of a value.", run: setrange},
		{name: "lcs", arity: -3, flags: readonly, keys: twoKeys, group: "string", since: "7.0.0", summary: "Finds the longest common subsequence of two values.", run: lcs},
		{name: "digest", arity: 2, flags: readonly | fast, keys: oneKey, group: "string", since: "8.4.0", summary: "Returns the XXH3 digest of a value.", run: digestOf},
		{name: "delex", arity: -2, flags: write | fast, keys: oneKey, use: "RW access delete", group: "string", since: "8.4.0", summary: "Deletes a key if its value or digest is, or is not, a given one.", run: delex},
	}
}

// APPEND key value
func appendTo(c *call) error {
	size, err := c.tx.StringLen(c.args[1])
	if err != nil {
		return err
	}
	n := size + int64(len(c.args[2]))
	if n > maxRecord {
		return errRecordSize(n)
	}
	if c.args[2] != "" || size == 0 {
		c.tx.AppendString(c.args[1], c.args[2])
	}
	c.w.Int(n)
	return nil
}

// STRLEN key
func strlen(c *call) error {
	n, err := c.tx.StringLen(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(n)
	return nil
}

// GETRANGE key start end
// SUBSTR key start end
func getrange(c *call) error {
	start, err := c.int(2)
	if err != nil {
		return err
	}
	end, err := c.int(3)
	if err != nil {
		return err
	}
	n, err := c.tx.StringLen(c.args[1])
	if err != nil {
		return err
	}
	if start < 0 && end < 0 && start > end {
		c.w.Bulk("")
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
		c.w.Bulk("")
		return nil
	}
	if err := c.fits(end - start + 1); err != nil {
		return err
	}
	c.w.Bulk(c.tx.StringRange(c.args[1], start, end))
	return nil
}

// SETRANGE key offset value
func setrange(c *call) error {
	offset, err := c.int(2)
	if err != nil {
		return err
	}
	if offset < 0 {
		return errOffset
	}
	n, err := c.tx.StringLen(c.args[1])
	if err != nil {
		return err
	}
	value := c.args[3]
	if value == "" {
		c.w.Int(n)
		return nil
	}
	end := offset + int64(len(value))
	if end > maxBulk || end < 0 {
		return errTooBig
	}
	if end > maxRecord {
		return errRecordSize(end)
	}
	size := max(end, n)
	s, err := c.tx.StringToRewrite(c.args[1], size)
	if err != nil {
		return err
	}
	buf := make([]byte, size)
	copy(buf, s)
	copy(buf[offset:], value)
	c.tx.SetString(c.args[1], given(buf), true)
	c.w.Int(size)
	return nil
}

// maxBulk is Redis's limit of a string, in bytes.
const maxBulk = 512 << 20

// maxLCS bounds the work of LCS: the product of the two lengths.
const maxLCS = 64 << 20

// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]
func lcs(c *call) error {
	var length, idx, withLen bool
	minLen := int64(0)
	for i := 3; i < len(c.args); i++ {
		switch {
		case c.is(i, "len"):
			length = true
		case c.is(i, "idx"):
			idx = true
		case c.is(i, "withmatchlen"):
			withLen = true
		case c.is(i, "minmatchlen") && i+1 < len(c.args):
			i++
			n, ok := num.ParseInt(c.args[i])
			if !ok {
				return errNotInteger
			}
			minLen = max(n, 0)
		default:
			return errSyntax
		}
	}
	a, _, errA := c.tx.String(c.args[1])
	b, _, errB := c.tx.String(c.args[2])
	if errA != nil || errB != nil {
		return Error("ERR The specified keys must contain string values")
	}
	if length && idx {
		return Error("ERR If you want both the length and indexes, please just use IDX.")
	}
	if int64(len(a)+1)*int64(len(b)+1) > maxLCS {
		return Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
	}
	if c.tx.Spend(8 * int64(len(a)+1) * int64(len(b)+1)); c.tx.Err() != nil {
		return c.tx.Err()
	}
	if table := 4 * int64(len(a)+1) * int64(len(b)+1); table > 0 {
		c.tx.hold(table)
		defer c.tx.hold(-table)
	}
	if c.tx.Err() != nil {
		return c.tx.Err()
	}
	seq, runs := longestCommon(a, b)
	switch {
	case length:
		c.w.Int(int64(len(seq)))
	case !idx:
		c.w.Bulk(seq)
	default:
		runs = slices.DeleteFunc(runs, func(r commonRun) bool { return r.n < minLen })
		c.w.Map(2)
		c.w.Bulk("matches")
		c.w.Array(len(runs))
		for _, r := range runs {
			c.w.Array(2 + b2i(withLen))
			for _, from := range []int64{r.a, r.b} {
				c.w.Array(2)
				c.w.Int(from)
				c.w.Int(from + r.n - 1)
			}
			if withLen {
				c.w.Int(r.n)
			}
		}
		c.w.Bulk("len")
		c.w.Int(int64(len(seq)))
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
func digestOf(c *call) error {
	s, ok, err := c.tx.String(c.args[1])
	if err != nil {
		return err
	}
	c.w.BulkOrNull(digest(s), ok)
	return nil
}

// DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]
func delex(c *call) error {
	var o setOptions
	switch len(c.args) {
	case 2:
		c.w.IntBool(c.tx.Delete(c.args[1]))
		return nil
	case 4:
		o = setOptions{cond: setConds[strings.ToLower(c.args[2])], operand: c.args[3]}
	}
	if o.cond == setAlways {
		return errSyntax
	}
	if (o.cond == setIfDeq || o.cond == setIfDne) && len(o.operand) != 16 {
		return errDigest
	}
	s, ok, err := c.tx.String(c.args[1])
	if err != nil {
		return err
	}
	met := ok && o.met(ok, s)
	if met {
		c.tx.Delete(c.args[1])
	}
	c.w.IntBool(met)
	return nil
}
