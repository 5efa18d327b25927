package rdb

import "strings"

// A value of a module is the module's id and then parts, each behind a number that tells its kind.
// An id is 9 characters of 6 bits each and a 10-bit version of the module's encoding.
const (
	moduleCharset = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	moduleVersion = 10 // bits

	moduleEnd    = 0
	moduleUint   = 2
	moduleString = 5
)

// RedisJSON writes a document as one string, its JSON text. Encoding 2 may have had the
// name of an index behind it.
const (
	jsonModule    = "ReJSON-RL"
	jsonText      = 3
	jsonTextIndex = 2
)

func moduleID(name string, version uint64) uint64 {
	var id uint64
	for i := range len(name) {
		id = id<<6 | uint64(strings.IndexByte(moduleCharset, name[i]))
	}
	return id<<moduleVersion | version
}

func appendJSON(b []byte, text string) []byte {
	b = appendLen(append(b, typeModule2), moduleID(jsonModule, jsonText))
	b = appendString(append(b, moduleString), text)
	return append(b, moduleEnd)
}

// module reads a value of a module, which must be a JSON document.
func (d *decoder) module() Value {
	id := d.length()
	if id != moduleID(jsonModule, jsonText) && id != moduleID(jsonModule, jsonTextIndex) {
		d.fail("module type %#x", id)
		return Value{}
	}
	d.part(moduleString)
	v := Value{Kind: JSON, JSON: d.string()}
	if id == moduleID(jsonModule, jsonTextIndex) {
		if d.part(moduleUint); d.length() != 0 {
			d.part(moduleString)
			d.string()
			d.part(moduleString)
			d.string()
		}
	}
	d.part(moduleEnd)
	return v
}

// part reads the kind of a part, which must be as given.
func (d *decoder) part(kind uint64) {
	if got := d.length(); got != kind {
		d.fail("part %d of a module's value where %d was expected", got, kind)
	}
}
