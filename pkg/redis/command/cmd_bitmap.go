package command

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/skystash/skystash/pkg/redis/internal/bits"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD, BITFIELD_RO.

func bitmapCommands() []*Command {
	return []*Command{
		{Name: "setbit", Arity: 4, Flags: Write | DenyOOM, Keys: OneKey, Group: "bitmap", Since: "2.2.0", Summary: "Sets or clears a bit.", Run: setbit},
		{Name: "getbit", Arity: 3, Flags: ReadOnly | Fast, Keys: OneKey, Group: "bitmap", Since: "2.2.0", Summary: "Returns a bit.", Run: getbit},
		{Name: "bitcount", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "bitmap", Since: "2.6.0", Summary: "Counts the bits that are set.", Run: bitcount},
		{Name: "bitpos", Arity: -3, Flags: ReadOnly, Keys: OneKey, Group: "bitmap", Since: "2.8.7", Summary: "Finds the first bit that is set, or clear.", Run: bitpos},
		{Name: "bitop", Arity: -4, Flags: Write | DenyOOM, Keys: KeySpec{First: 2, Last: -1, Step: 1}, Use: "OW update", UseThen: "RO access", Event: "set", Group: "bitmap", Since: "2.6.0", Summary: "Combines bitmaps into another.", Run: bitop},
		{Name: "bitfield", Arity: -2, Flags: Write | DenyOOM, Keys: OneKey, Use: "RW access update variable_flags", UseIn: useOfBitfield, Event: "setbit", Group: "bitmap", Since: "3.2.0", Summary: "Reads and changes integers inside a bitmap.", Run: bitfield},
		{Name: "bitfield_ro", Arity: -2, Flags: ReadOnly | Fast, Keys: OneKey, Group: "bitmap", Since: "6.0.0", Summary: "Reads integers inside a bitmap.", Run: bitfield},
	}
}

const (
	errBitOffset Error = "ERR bit offset is not an integer or out of range"
	errBitValue  Error = "ERR bit is not an integer or out of range"
)

// SETBIT key offset value
func setbit(c *Call) error {
	offset, ok := bits.ParseOffset(c.Args[2])
	if !ok {
		return errBitOffset
	}
	if c.Args[3] != "0" && c.Args[3] != "1" {
		return errBitValue
	}
	n, err := c.Txn.StringLen(c.Args[1])
	if err != nil {
		return err
	}
	if n := offset/8 + 1; n > keyspace.MaxRecord {
		return keyspace.ErrRecordSize(n)
	}
	s, err := c.Txn.StringToRewrite(c.Args[1], max(offset/8+1, n))
	if err != nil {
		return err
	}
	next, old := bits.Set(s, offset, int(c.Args[3][0]-'0'))
	c.Txn.SetString(c.Args[1], next, true)
	if next != s {
		c.event("setbit", c.Args[1])
	}
	c.W.Int(int64(old))
	return nil
}

// GETBIT key offset
func getbit(c *Call) error {
	offset, ok := bits.ParseOffset(c.Args[2])
	if !ok {
		return errBitOffset
	}
	n, err := c.Txn.StringLen(c.Args[1])
	if err != nil {
		return err
	}
	bit := 0
	if at := offset / 8; at < n {
		bit = bits.Get(c.Txn.StringRange(c.Args[1], at, at), offset%8)
	}
	c.W.Int(int64(bit))
	return nil
}

// unit parses the BYTE or BIT at argument i, which may be missing.
func (c *Call) unit(i int) (bits.Unit, error) {
	switch {
	case i == len(c.Args), i == len(c.Args)-1 && c.Is(i, "byte"):
		return bits.Byte, nil
	case i == len(c.Args)-1 && c.Is(i, "bit"):
		return bits.Bit, nil
	}
	return 0, ErrSyntax
}

// BITCOUNT key [start end [BYTE | BIT]]
func bitcount(c *Call) error {
	if len(c.Args) == 2 {
		s, _, err := c.Txn.String(c.Args[1])
		if err != nil {
			return err
		}
		c.W.Int(bits.Count(s))
		return nil
	}
	if len(c.Args) == 3 || len(c.Args) > 5 {
		return ErrSyntax
	}
	start, err := c.Int(2)
	if err != nil {
		return err
	}
	end, err := c.Int(3)
	if err != nil {
		return err
	}
	unit, err := c.unit(4)
	if err != nil {
		return err
	}
	s, _, err := c.Txn.String(c.Args[1])
	if err != nil {
		return err
	}
	c.W.Int(bits.CountRange(s, start, end, unit))
	return nil
}

// BITPOS key bit [start [end [BYTE | BIT]]]
func bitpos(c *Call) error {
	bit, err := c.Int(2)
	if err != nil {
		return err
	}
	if bit != 0 && bit != 1 {
		return Error("ERR The bit argument must be 1 or 0.")
	}
	var start, end int64
	unit := bits.Byte
	if len(c.Args) > 3 {
		if start, err = c.Int(3); err != nil {
			return err
		}
	}
	if len(c.Args) > 4 {
		if unit, err = c.unit(5); err != nil {
			return err
		}
		if end, err = c.Int(4); err != nil {
			return err
		}
	}
	s, ok, err := c.Txn.String(c.Args[1])
	switch {
	case err != nil:
		return err
	case !ok:
		c.W.Int(-bit) // no bit is set; the first is clear
	case len(c.Args) > 4:
		c.W.Int(bits.PosRange(s, int(bit), start, end, unit))
	default:
		c.W.Int(bits.Pos(s, int(bit), start))
	}
	return nil
}

// BITOP AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE destkey key [key ...]
func bitop(c *Call) error {
	op, ok := bits.ParseOp(c.Args[1])
	if !ok {
		return ErrSyntax
	}
	least, most := op.Operands()
	n := len(c.Args) - 3
	switch {
	case most == 1 && n != 1:
		return Error("ERR BITOP NOT must be called with a single source key.")
	case n < least:
		return Error("ERR BITOP " + op.String() + " must be called with at least two source keys.")
	}
	var sources []string
	for _, key := range c.Args[3:] {
		s, _, err := c.Txn.String(key)
		if err != nil {
			return err
		}
		if c.Txn.Spend(int64(len(s)) + keyspace.CommandWork/10); c.Txn.Err() != nil {
			return c.Txn.Err()
		}
		sources = append(sources, s)
	}
	longest := 0
	for _, s := range sources {
		longest = max(longest, len(s))
	}
	if !c.Txn.Room(int64(longest)) {
		return c.Txn.Err()
	}
	result := bits.Combine(op, sources)
	c.missedSources()
	if result == "" {
		c.Txn.Delete(c.Args[2])
	} else {
		c.Txn.SetString(c.Args[2], result, false)
	}
	c.W.Int(int64(len(result)))
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
func parseBitfield(c *Call) ([]fieldOp, error) {
	size := int64(0) // that writes need
	var ops []fieldOp
	overflow := bits.Wrap
	for i := 2; i < len(c.Args); {
		name := strings.ToLower(c.Args[i])
		left := len(c.Args) - i - 1
		n := 3
		switch {
		case name == "get" && left >= 2:
			n = 2
		case (name == "set" || name == "incrby") && left >= 3:
		case name == "overflow" && left >= 1:
			way, ok := bits.ParseOverflow(c.Args[i+1])
			if !ok {
				return nil, Error("ERR Invalid OVERFLOW type specified")
			}
			overflow = way
			i += 2
			continue
		default:
			return nil, ErrSyntax
		}
		op := fieldOp{name: name, overflow: overflow}
		var ok bool
		if op.typ, ok = bits.ParseType(c.Args[i+1]); !ok {
			return nil, Error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
		}
		if op.offset, ok = op.typ.ParseOffset(c.Args[i+2]); !ok {
			return nil, errBitOffset
		}
		if n == 3 {
			v, err := c.Int(i + 3)
			if err != nil {
				return nil, err
			}
			op.value = v
			size = max(size, (op.offset+int64(op.typ.Bits)-1)/8+1)
		}
		ops = append(ops, op)
		i += n + 1
	}
	if size > 0 && c.Command.Name == "bitfield_ro" {
		return nil, Error("ERR BITFIELD_RO only supports the GET subcommand")
	}
	if size > keyspace.MaxRecord {
		return nil, keyspace.ErrRecordSize(size)
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
func bitfield(c *Call) error {
	ops, err := parseBitfield(c)
	if err != nil {
		return err
	}
	s, _, err := c.Txn.String(c.Args[1])
	if err != nil {
		return err
	}
	c.Txn.Spend(int64(len(s)) + keyspace.ElementWork*int64(len(ops)))
	buf := unsafe.Slice(unsafe.StringData(s), len(s)) // to be read
	writes := slices.ContainsFunc(ops, func(op fieldOp) bool { return op.name != "get" })
	if writes {
		size := int64(len(s))
		for _, op := range ops {
			if op.name != "get" {
				size = max(size, (op.offset+int64(op.typ.Bits)-1)/8+1)
			}
		}
		if !c.Txn.Room(size) {
			return c.Txn.Err()
		}
		buf = append(make([]byte, 0, size), s...)
		for _, op := range ops { // as in Redis, the string grows even if an operation then fails
			if op.name != "get" {
				buf = op.typ.Grow(buf, op.offset)
			}
		}
	}
	c.W.Array(len(ops))
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
			c.W.Null()
			continue
		}
		if op.name != "get" {
			buf = op.typ.Write(buf, op.offset, next)
		}
		c.W.Int(reply)
	}
	if writes {
		c.Txn.SetString(c.Args[1], keyspace.Given(buf), true)
	}
	return nil
}
