package keyspace

import "github.com/skystash/skystash/pkg/store"

// SetFields sets fields of an inline hash, however many it has, and drops their expiry. pairs are names and values in
// turn.
func (b *Blind) SetFields(pairs []string) *Plan {
	edits := setFieldEdits(pairs)
	if edits == nil {
		return nil
	}
	return &Plan{Op: store.Update(b.key, b.liveOr(typeHash), edits...), Collection: true}
}

// SetNewField sets a field that there is not.
func (b *Blind) SetNewField(name, value string) *Plan {
	edits := setFieldEdits([]string{name, value})
	if edits == nil {
		return nil
	}
	return &Plan{Op: store.Update(b.key, store.And{b.liveOr(typeHash), store.Absent(memberAttr(name))}, edits...), Collection: true}
}

// setFieldEdits is nil if the pairs are malformed or too many.
func setFieldEdits(pairs []string) []store.Edit {
	if len(pairs)%2 != 0 || !Small(pairs) {
		return nil
	}
	edits := make([]store.Edit, 0, len(pairs)+4)
	edits = append(edits, store.Set(attrType, store.Bytes(typeHash)))
	at := make(map[string]int, len(pairs)/2) // of a field given twice the last value counts
	for i := 0; i < len(pairs); i += 2 {
		set := store.Set(memberAttr(pairs[i]), store.Bytes(pairs[i+1]))
		if j, again := at[pairs[i]]; again {
			edits[j] = set
			continue
		}
		at[pairs[i]] = len(edits)
		edits = append(edits, set, store.Remove(fieldExpAttr(pairs[i])))
	}
	return edits
}

// DeleteFields deletes distinct fields of an inline hash. It must exist, so that none is created, and must not expire, so
// that no expiry outlives the last field.
func (b *Blind) DeleteFields(fields []string) *Plan {
	if !Small(fields) {
		return nil
	}
	edits := make([]store.Edit, 0, 2*len(fields)+4)
	for _, f := range fields {
		edits = append(edits, store.Remove(memberAttr(f)), store.Remove(fieldExpAttr(f)))
	}
	return &Plan{
		Op:         store.Update(b.key, store.And{store.Eq(attrType, store.Bytes(typeHash)), store.Absent(attrExpiry)}, edits...),
		Collection: true,
	}
}

// CountFields is how many of the fields an inline hash had, given its head.
func (b *Blind) CountFields(old store.Attrs, fields []string) int64 {
	var n int64
	for _, f := range fields {
		if attr := memberAttr(f); old.Has(attr) && !fieldExpired(old, attr, b.now) {
			n++
		}
	}
	return n
}
