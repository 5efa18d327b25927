package keyspace

import "github.com/skystash/skystash/pkg/store"

// Types of a key, as the attribute t has them for inline values. The spread
// encoding has the upper-case letter.
const (
	typeString = "s"
	typeList   = "l"
	typeHash   = "h"
	typeSet    = "u"
	typeZSet   = "z"
	typeStream = "x"
	typeJSON   = "j"
)

// spreadStream is the type in the head of a spread stream.
const spreadStream = "X"

const (
	// inlineLimit is the size of a head (bytes) beyond which a collection is spread.
	inlineLimit = 4 << 10
	// InlineString is the size of a string (bytes) beyond which it is stored in chunks.
	InlineString = 350 << 10
	ChunkSize    = 350 << 10
)

// typeName is a type as TYPE replies it.
func typeName(typ string) string {
	switch typ {
	case typeString:
		return "string"
	case typeList:
		return "list"
	case typeHash:
		return "hash"
	case typeSet:
		return "set"
	case typeZSet:
		return "zset"
	case typeStream:
		return "stream"
	case typeJSON:
		return "ReJSON-RL"
	}
	return "none"
}

// object is an existing key as a transaction sees it.
type object struct {
	typ     string // typeString ...
	expires int64  // Unix ms; 0: never
	gen     string // generation of a spread value; "" if it is inline
	fresh   bool   // gen is this transaction's own: nobody can see it yet
	moved   bool   // gen comes from another key
	sweep   int64  // when expired fields of a spread hash are to be deleted, Unix ms; 0: there are none
	value   value
}

// touch makes the commit write the head, though nothing in it has changed.
func (ent *entry) touch() {
	if ent.obj != nil {
		ent.obj.value.materialise()
	}
	ent.dirty = true
}

// emptyHead reports whether an inline collection's head has no live element.
func emptyHead(as store.Attrs, now int64) bool {
	switch as.Get(attrType).Str() {
	case typeList:
		return len(as.Get(attrList).Elems()) == 0
	case typeHash, typeSet, typeZSet:
		for _, a := range as {
			if isMemberAttr(a.Name) && !fieldExpired(as, a.Name, now) {
				return false
			}
		}
		return true
	}
	return false
}

// fieldExpired reports whether the member attribute's field has expired.
func fieldExpired(as store.Attrs, name string, now int64) bool {
	exp := fieldExpiry(as, name)
	return exp != 0 && exp <= now
}

// fieldExpiry is the expiry (Unix ms) of the field of a member attribute, 0 if it has none.
func fieldExpiry(as store.Attrs, name string) int64 {
	if last := as[len(as)-1].Name; last[0] != attrFieldExp && as[0].Name[0] > attrFieldExp64 {
		return 0 // the common case: no field expires
	}
	exp := byte(attrFieldExp)
	if name[0] == attrMember64 {
		exp = attrFieldExp64
	}
	return as.Get(string(exp) + name[1:]).Num()
}

// decodeHead is the live object in a head, nil if there is none: no item,
// expired, or an empty collection.
func (tx *Txn) decodeHead(ent *entry, as store.Attrs) *object {
	if as == nil {
		return nil
	}
	o := &object{expires: as.Get(attrExpiry).Num(), gen: as.Get(AttrGen).Str(), sweep: as.Get(attrSweep).Num()}
	if o.expires != 0 && o.expires <= tx.now {
		return nil
	}
	t := as.Get(attrType).Str()
	if len(t) != 1 {
		return nil
	}
	o.typ = string(t[0] | 0x20)
	o.value = decodeValue(tx, ent, o, as)
	if o.gen == "" && emptyHead(as, tx.now) {
		return nil
	}
	return o
}
