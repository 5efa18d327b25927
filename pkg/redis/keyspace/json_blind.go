package keyspace

import "github.com/skystash/skystash/pkg/store"

// SetDocument puts a JSON document of up to InlineString bytes, and leaves the key's expiry alone. Only a new key gets
// it, or an existing one, if asked for.
func (b *Blind) SetDocument(text string, isNew, existing bool) *Plan {
	cond := b.liveOr(typeJSON)
	switch {
	case isNew:
		cond = store.Absent(attrType)
	case existing:
		cond = b.liveAs(typeJSON)
	}
	return &Plan{
		Op:    store.Update(b.key, cond, stringEdits(typeJSON, b.stringAttr(b.name, text))...),
		Fixed: true,
		Trace: store.Set("", store.Bytes("")), // the item lives on, so that it must tell
	}
}

// SetDocuments puts documents at several keys, none of which meets another type, an expiry that it would have to keep, or
// a generation that it would leave behind.
func (b *Blind) SetDocuments(texts map[string]string) *Plan {
	cond := store.Or{store.Absent(attrType), store.And{store.Eq(attrType, store.Bytes(typeJSON)), store.Absent(attrExpiry)}}
	return b.putStrings(typeJSON, texts, cond)
}

// DeleteDocument deletes a document, or nothing.
func (b *Blind) DeleteDocument() *Plan { return &Plan{Op: store.Delete(b.key, b.liveOr(typeJSON))} }
