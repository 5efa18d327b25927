package redis

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/skystash/skystash/pkg/redis/internal/bits"
)

// SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD, BITFIELD_RO.

func bitmapCommands() []*command {
	return []*command{
		{name: "setbit", arity: 4, flags: write | denyoom, keys: oneKey, group: "bitmap", since: "2.2.0", summary: "Sets or clears a bit.", run: setbit},
		{name: "getbit", arity: 3, flags: readonly | fast, keys: oneKey, group: "bitmap", since: "2.2.0", summary: "Returns a bit.", run: getbit},
		{name: "bitcount", arity: -2, flags: readonly, keys: oneKey, group: "bitmap", since: "2.6.0", summary: "Counts the bits that are set.", run: bitcount},
		{name: "bitpos", arity: -3, flags: readonly, keys: oneKey, group: "bitmap", since: "2.8.7", summary: "Finds the first bit that is set, or clear.", run: bitpos},
		{name: "bitop", arity: -4, flags: write | denyoom, keys: keySpec{first: 2, last: -1, step: 1}, use: "OW update", then: "RO access", group: "bitmap", since: "2.6.0", summary: "Combines bitmaps into another.", run: bitop},
		{name: "bitfield", arity: -2, flags: write | denyoom, keys: oneKey, use: "RW access update variable_flags", useIn: useOfBitfield, group: "bitmap", since: "3.2.0", summary: "Reads and changes integers inside a bitmap.", run: bitfield},
		{name: "bitfield_ro", arity: -2, flags: readonly | fast, keys: oneKey, group: "bitmap", since: "6.0.0", summary: "Reads integers inside a bitmap.", run: bitfield},
	}
}

const (
	errBitOffset Error = "ERR bit offset is not an integer or out of range"
	errBitValue  Error = "ERR bit is not an integer or out of range"
)

// SETBIT key offset value
func setbit(c *call) error {
	offset, ok := bits.ParseOffset(c.args[2])
	if !ok {
		return errBitOffset
	}
	if c.args[3] != "0" && c.args[3] != "1" {
		return errBitValue
	}
	n, err := c.tx.StringLen(c.args[1])
	if err != nil {
		return err
	}
	if n := offset/8 + 1; n > maxRecord {
		return errRecordSize(n)
	}
	s, err := c.tx.StringToRewrite(c.args[1], max(offset/8+1, n))
	if err != nil {
		return err
	}
	next, old := bits.Set(s, offset, int(c.args[3][0]-'0'))
	c.tx.SetString(c.args[1], next, true)
	c.w.Int(int64(old))
	return nil
}

// GETBIT key offset
func getbit(c *call) error {
	offset, ok := bits.ParseOffset(c.args[2])
	if !ok {
		return errBitOffset
	}
	n, err := c.tx.StringLen(c.args[1])
	if err != nil {
		return err
	}
	bit := 0
	if at := offset / 8; at < n {
		bit = bits.Get(c.tx.StringRange(c.args[1], at, at), offset%8)
	}
	c.w.Int(int64(bit))
	return nil
}

// unit parses the BYTE or BIT at argument i, which may be missing.
func (c *call) unit(i int) (bits.Unit, error) {
	switch {
	case i == len(c.args), i == len(c.args)-1 && c.is(i, "byte"):
		return bits.Byte, nil
	case i == len(c.args)-1 && c.is(i, "bit"):
		return bits.Bit, nil
	}
	return 0, errSyntax
}

// BITCOUNT key [start end [BYTE | BIT]]
func bitcount(c *call) error {
	if len(c.args) == 2 {
		s, _, err := c.tx.String(c.args[1])
		if err != nil {
			return err
		}
		c.w.Int(bits.Count(s))
		return nil
	}
	if len(c.args) == 3 || len(c.args) > 5 {
		return errSyntax
	}
	start, err := c.int(2)
	if err != nil {
		return err
	}
	end, err := c.int(3)
	if err != nil {
		return err
	}
	unit, err := c.unit(4)
	if err != nil {
		return err
	}
	s, _, err := c.tx.String(c.args[1])
	if err != nil {
		return err
	}
	c.w.Int(bits.CountRange(s, start, end, unit))
	return nil
}

// BITPOS key bit [start [end [BYTE | BIT]]]
func bitpos(c *call) error {
	bit, err := c.int(2)
	if err != nil {
		return err
	}
	if bit != 0 && bit != 1 {
		return Error("ERR The bit argument must be 1 or 0.")
	}
	var start, end int64
	unit := bits.Byte
	if len(c.args) > 3 {
		if start, err = c.int(3); err != nil {
			return err
		}
	}
	if len(c.args) > 4 {
		if unit, err = c.unit(5); err != nil {
			return err
		}
		if end, err = c.int(4); err != nil {
			return err
		}
	}
	s, ok, err := c.tx.String(c.args[1])
	switch {
	case err != nil:
		return err
	case !ok:
		c.w.Int(-bit) // no bit is set; the first is clear
	case len(c.args) > 4:
		c.w.Int(bits.PosRange(s, int(bit), start, end, unit))
	default:
		c.w.Int(bits.Pos(s, int(bit), start))
	}
	return nil
}

// BITOP AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE destkey key [key ...]
func bitop(c *call) error {
	op, ok := bits.ParseOp(c.args[1])
	if !ok {
		return errSyntax
	}
	least, most := op.Operands()
	n := len(c.args) - 3
	switch {
	case most == 1 && n != 1:
		return Error("ERR BITOP NOT must be called with a single source key.")
	case n < least:
		return Error("ERR BITOP " + op.String() + " must be called with at least two source keys.")
	}
	var sources []string
	for _, key := range c.args[3:] {
		s, _, err := c.tx.String(key)
		if err != nil {
			return err
		}
		if c.tx.Spend(int64(len(s)) + commandWork/10); c.tx.Err() != nil {
			return c.tx.Err()
		}
		sources = append(sources, s)
	}
	longest := 0
	for _, s := range sources {
		longest = max(longest, len(s))
	}
	if !c.tx.room(int64(longest)) {
		return c.tx.Err()
	}
	result := bits.Combine(op, sources)
	if result == "" {
		c.tx.Delete(c.args[2])
	} else {
		c.tx.SetString(c.args[2], result, false)
	}
	c.w.Int(int64(len(result)))
	return nil
}

// fieldOp is one operation of BITFIELD.
type fieldOp struct {
	name     string // "get", "set", "incrby"
	typ      bits.Type
	offset   int64
	value    int64
	overflow bits.Overflow
}

// parseBitfield reads the operations of BITFIELD.
func parseBitfield(c *call) ([]fieldOp, error) {
	size := int64(0) // that writes need
	var ops []fieldOp
	overflow := bits.Wrap
	for i := 2; i < len(c.args); {
		name := strings.ToLower(c.args[i])
		left := len(c.args) - i - 1
		n := 3
		switch {
		case name == "get" && left >= 2:
			n = 2
		case (name == "set" || name == "incrby") && left >= 3:
		case name == "overflow" && left >= 1:
			way, ok := bits.ParseOverflow(c.args[i+1])
			if !ok {
				return nil, Error("ERR Invalid OVERFLOW type specified")
			}
			overflow = way
			i += 2
			continue
		default:
			return nil, errSyntax
		}
		op := fieldOp{name: name, overflow: overflow}
		var ok bool
		if op.typ, ok = bits.ParseType(c.args[i+1]); !ok {
			return nil, Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
		}
		if op.offset, ok = op.typ.ParseOffset(c.args[i+2]); !ok {
			return nil, errBitOffset
		}
		if n == 3 {
			v, err := c.int(i + 3)
			if err != nil {
				return nil, err
			}
			op.value = v
			size = max(size, (op.offset+int64(op.typ.Bits)-1)/8+1)
		}
		ops = append(ops, op)
		i += n + 1
	}
	if size > 0 && c.cmd.name == "bitfield_ro" {
		return nil, Error("ERR BITFIELD_RO only supports the GET subcommand")
	}
	if size > maxRecord {
		return nil, errRecordSize(size)
	}
	return ops, nil
}

// useOfBitfield: with nothing but GET, it only reads.
func useOfBitfield(args []string) string {
	for _, a := range args[min(2, len(args)):] {
		if strings.EqualFold(a, "set") || strings.EqualFold(a, "incrby") {
			return "RW access update"
		}
	}
	return "RO access"
}

// BITFIELD key [GET encoding offset | [OVERFLOW WRAP | SAT | FAIL] SET encoding offset value |
// INCRBY encoding offset increment ...]
// BITFIELD_RO key [GET encoding offset ...]
func bitfield(c *call) error {
	ops, err := parseBitfield(c)
	if err != nil {
		return err
	}
	s, _, err := c.tx.String(c.args[1])
	if err != nil {
		return err
	}
	c.tx.Spend(int64(len(s)) + elementWork*int64(len(ops)))
	buf := unsafe.Slice(unsafe.StringData(s), len(s)) // to be read
	writes := slices.ContainsFunc(ops, func(op fieldOp) bool { return op.name != "get" })
	if writes {
		size := int64(len(s))
		for _, op := range ops {
			if op.name != "get" {
				size = max(size, (op.offset+int64(op.typ.Bits)-1)/8+1)
			}
		}
		if !c.tx.room(size) {
			return c.tx.Err()
		}
		buf = append(make([]byte, 0, size), s...)
		for _, op := range ops { // as in Redis, the string grows even if an operation then fails
			if op.name != "get" {
				buf = op.typ.Grow(buf, op.offset)
			}
		}
	}
	c.w.Array(len(ops))
	for _, op := range ops {
		old := op.typ.ReadBytes(buf, op.offset)
		reply, next, ok := old, old, true
		switch op.name {
		case "set":
			next, ok = op.typ.Fit(op.value, op.overflow)
		case "incrby":
			next, ok = op.typ.Add(old, op.value, op.overflow)
			reply = next
		}
		if !ok {
			c.w.Null()
			continue
		}
		if op.name != "get" {
			buf = op.typ.Write(buf, op.offset, next)
		}
		c.w.Int(reply)
	}
	if writes {
		c.tx.SetString(c.args[1], given(buf), true)
	}
	return nil
}
