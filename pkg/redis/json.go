package redis

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/skystash/skystash/pkg/redis/jsondoc"
)

// JSON documents. A document is stored as compact JSON text, like a string. A transaction parses
// it once, when a command first needs more than its text.

// JSON returns the document at a key, nil if there is no such key. Who changes it must give it
// back to SetJSON.
func (tx *Txn) JSON(key string) (*jsondoc.Value, error) {
	o, err := tx.typed(key, typeJSON)
	if o == nil {
		return nil, err
	}
	return tx.docOf(o), nil
}

func (tx *Txn) docOf(o *object) *jsondoc.Value {
	if o.doc == nil {
		text := tx.stringOf(o)
		if tx.parse(text); tx.err != nil {
			o.doc = &jsondoc.Value{}
			return o.doc
		}
		doc, err := jsondoc.Parse(text)
		if err != nil && tx.err == nil {
			tx.fail(fmt.Errorf("reading a JSON document: %w", err))
		}
		o.doc = &doc
	}
	return o.doc
}

// parse counts what parsing a text takes: about 64 bytes for each value that it has.
func (tx *Txn) parse(text string) {
	values := 1 + strings.Count(text, ",") + strings.Count(text, "[") + strings.Count(text, "{")
	tx.spend(jsonWork * int64(len(text)))
	tx.hold(64 * int64(values))
}

// SetJSON makes the key hold a document. The expiry of an existing key is kept. A
// document that is too large is refused, and counts as not changed.
func (tx *Txn) SetJSON(key string, doc *jsondoc.Value) error {
	return tx.setAllJSON(map[string]*jsondoc.Value{key: doc})
}

// setAllJSON is SetJSON for several keys: it sets all or none.
func (tx *Txn) setAllJSON(docs map[string]*jsondoc.Value) error {
	texts := make(map[string]string, len(docs))
	for key, doc := range docs {
		size := int64(doc.TextLen())
		if size > maxRecord {
			for key := range docs {
				tx.forgetJSON(key)
			}
			return errRecordSize(size)
		}
		if tx.spend(jsonWork / 2 * size); !tx.room(size) {
			return tx.err
		}
		tx.hold(size)
		text := doc.AppendTo(make([]byte, 0, size))
		texts[key] = unsafe.String(unsafe.SliceData(text), len(text))
	}
	for key, doc := range docs {
		tx.hold(-int64(len(texts[key]))) // setJSONText counts it again
		tx.setJSONText(key, texts[key], doc)
	}
	return nil
}

// jsonSize is the length of the text of the document at a key, 0 if there is none.
func (tx *Txn) jsonSize(key string) int64 {
	if o := tx.entry(key).obj; o != nil && o.typ == typeJSON {
		return o.str.size
	}
	return 0
}

// jsonFits refuses to put n copies of something into the document at a key if that would make it too large,
// before they take the memory. bytes is what one takes as text, memory as values.
func (tx *Txn) jsonFits(key string, n, bytes int, memory int64) error {
	if n < 2 {
		return nil
	}
	if size := tx.jsonSize(key) + int64(n)*int64(bytes); size > maxRecord {
		return errRecordSize(size)
	}
	tx.take(int64(n) * (int64(bytes) + memory))
	tx.room(tx.jsonSize(key) + int64(n)*int64(bytes)) // for the text
	return tx.err
}

// forgetJSON takes back changes of a document that have not been set.
func (tx *Txn) forgetJSON(key string) {
	if o := tx.entry(key).obj; o != nil {
		o.doc = nil
	}
}

// setJSONText is SetJSON given the document's text, parsed or nil.
func (tx *Txn) setJSONText(key, text string, doc *jsondoc.Value) {
	ent := tx.entry(key)
	var expires int64
	if ent.obj != nil {
		expires = ent.obj.expires
	}
	tx.take(int64(len(text)))
	tx.replace(ent, &object{typ: typeJSON, expires: expires, doc: doc, str: &stringValue{s: text, loaded: true, size: int64(len(text))}})
}
