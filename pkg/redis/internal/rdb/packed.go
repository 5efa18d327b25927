package rdb

import "strconv"

// A packed collection is one string that holds all elements. Its readers see that
// string alone, with a header, the elements and an end mark.

const packedEnd = 0xff

// packed reads a string that is a packed collection and returns its elements.
func (d *decoder) packed(read func(*decoder) []string) []string {
	s := d.string()
	if d.err != nil {
		return nil
	}
	inner := decoder{rest: s, budget: d.budget, charge: d.charge}
	elements := read(&inner)
	if inner.err == nil && inner.rest != "" {
		inner.fail("%d bytes after a packed collection", len(inner.rest))
	}
	d.budget = inner.budget
	if inner.err != nil {
		d.err, d.rest = inner.err, ""
		return nil
	}
	return elements
}

// entries reads elements up to the end mark. The header's count may be unknown, told by
// its largest value.
func (d *decoder) entries(count uint64, read func() string) []string {
	const unknown = 1<<16 - 1
	var elements []string
	for d.err == nil {
		if d.rest == "" {
			d.fail("packed collection without end")
			return nil
		}
		if d.rest[0] == packedEnd {
			d.take(1)
			break
		}
		if !d.spend(elementCost) {
			return nil
		}
		elements = append(elements, read())
	}
	if count != unknown && count != uint64(len(elements)) {
		d.fail("packed collection of %d elements has %d", count, len(elements))
	}
	return elements
}

// ziplist reads: 4 bytes size, 4 bytes offset of the last element, 2 bytes number of
// elements; each element is led by the size of the one before it.
func ziplist(d *decoder) []string {
	if size := len(d.rest); d.little(4) != uint64(size) {
		d.fail("ziplist of %d bytes has another size in its header", size)
	}
	d.take(4)
	return d.entries(d.little(2), func() string {
		if before := d.little(1); before == 0xfe {
			d.take(4)
		}
		return d.ziplistEntry()
	})
}

func (d *decoder) ziplistEntry() string {
	first := d.little(1)
	switch first >> 6 {
	case 0:
		return d.take(first)
	case 1:
		return d.take(first&0x3f<<8 | d.little(1))
	case 2:
		return d.take(d.big(4))
	}
	switch first {
	case 0xc0:
		return d.signed(2)
	case 0xd0:
		return d.signed(4)
	case 0xe0:
		return d.signed(8)
	case 0xf0:
		return d.signed(3)
	case 0xfe:
		return d.signed(1)
	}
	if first >= 0xf1 && first <= 0xfd { // the number itself, plus 1
		return strconv.FormatUint(first-0xf1, 10)
	}
	d.fail("ziplist entry %#x", first)
	return ""
}

// listpack reads: 4 bytes size, 2 bytes number of elements; each element is followed by
// its size.
func listpack(d *decoder) []string {
	if size := len(d.rest); d.little(4) != uint64(size) {
		d.fail("listpack of %d bytes has another size in its header", size)
	}
	return d.entries(d.little(2), func() string {
		before := len(d.rest)
		element := d.listpackEntry()
		d.take(uint64(backLength(before - len(d.rest)))) // its size
		return element
	})
}

func (d *decoder) listpackEntry() string {
	first := d.little(1)
	switch {
	case first>>7 == 0:
		return strconv.FormatUint(first, 10)
	case first>>6 == 2:
		return d.take(first & 0x3f)
	case first>>5 == 6: // 13 bits, signed
		n := int64(first&0x1f<<8 | d.little(1))
		return strconv.FormatInt(n<<51>>51, 10)
	case first>>4 == 14:
		return d.take(first&0x0f<<8 | d.little(1))
	}
	switch first {
	case 0xf0:
		return d.take(d.little(4))
	case 0xf1:
		return d.signed(2)
	case 0xf2:
		return d.signed(3)
	case 0xf3:
		return d.signed(4)
	case 0xf4:
		return d.signed(8)
	}
	d.fail("listpack entry %#x", first)
	return ""
}

// intset reads: 4 bytes size of an integer, 4 bytes number of integers, the integers.
func intset(d *decoder) []string {
	size, count := d.little(4), d.little(4)
	if size != 2 && size != 4 && size != 8 || count != uint64(len(d.rest))/size {
		d.fail("intset of %d integers of %d bytes in %d", count, size, len(d.rest))
		return nil
	}
	if !d.spend(int(count) * elementCost) {
		return nil
	}
	elements := make([]string, 0, count)
	for range count {
		elements = append(elements, d.signed(size))
	}
	return elements
}
