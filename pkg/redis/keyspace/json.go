package keyspace

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/store"
)

// JSON documents. A document is stored as compact JSON text, like a string. A transaction parses
// it once, when a command first needs more than its text.

// Document is a JSON document: its text and, once a command has asked for more, what that says.
type Document struct {
	stringValue
	doc *jsondoc.Value
}

func decodeDocument(tx *Txn, o *object, as store.Attrs) *Document {
	d := &Document{stringValue: stringValue{tx: tx, obj: o}}
	d.decode(as)
	return d
}

func (d *Document) copyTo(key string) {
	o := &object{typ: typeJSON}
	o.value = &Document{stringValue: d.copied(o)}
	d.tx.replace(d.tx.entry(key), o)
}

func (d *Document) dump(fits func(n int) bool) rdb.Value {
	if !fits(int(d.length)) {
		return rdb.Value{}
	}
	return rdb.Value{Kind: rdb.JSON, JSON: d.text()}
}

func (d *Document) encoding() string { return "raw" }

// JSON returns the document at a key, nil if there is no such key. Who changes it must give it
// back to SetJSON.
func (tx *Txn) JSON(key string) (*jsondoc.Value, error) {
	d, err := tx.Document(key)
	if d == nil {
		return nil, err
	}
	return d.Value(), nil
}

// Document returns the document at a key, which need not be parsed; nil if there is no such key.
func (tx *Txn) Document(key string) (*Document, error) {
	o, err := tx.typed(key, typeJSON)
	if o == nil {
		return nil, err
	}
	return o.value.(*Document), nil
}

// Len is the length of the document's text.
func (d *Document) Len() int64 { return d.length }

// Text is the document's text.
func (d *Document) Text() string { return d.text() }

// Value is what the text says. Who changes it must give it back to SetJSON.
func (d *Document) Value() *jsondoc.Value {
	if d.doc == nil {
		tx, text := d.tx, d.text()
		if tx.SpendParsing(text); tx.err != nil {
			d.doc = &jsondoc.Value{}
			return d.doc
		}
		doc, err := jsondoc.Parse(text)
		if err != nil && tx.err == nil {
			tx.Fail(fmt.Errorf("reading a JSON document: %w", err))
		}
		d.doc = &doc
	}
	return d.doc
}

// SpendParsing counts what parsing a text takes: about 64 bytes for each value that it has.
func (tx *Txn) SpendParsing(text string) {
	values := 1 + strings.Count(text, ",") + strings.Count(text, "[") + strings.Count(text, "{")
	tx.spend(jsonWork * int64(len(text)))
	tx.Hold(64 * int64(values))
}

// SetJSON makes the key hold a document. The expiry of an existing key is kept. A
// document that is too large is refused, and counts as not changed.
func (tx *Txn) SetJSON(key string, doc *jsondoc.Value) error {
	return tx.SetAllJSON(map[string]*jsondoc.Value{key: doc})
}

// SetAllJSON is SetJSON for several keys: it sets all or none.
func (tx *Txn) SetAllJSON(docs map[string]*jsondoc.Value) error {
	texts := make(map[string]string, len(docs))
	for key, doc := range docs {
		size := int64(doc.TextLen())
		if size > MaxRecord {
			for key := range docs {
				tx.forgetJSON(key)
			}
			return ErrRecordSize(size)
		}
		if tx.spend(jsonWork / 2 * size); !tx.Room(size) {
			return tx.err
		}
		tx.Hold(size)
		text := doc.AppendTo(make([]byte, 0, size))
		texts[key] = unsafe.String(unsafe.SliceData(text), len(text))
	}
	for key, doc := range docs {
		tx.Hold(-int64(len(texts[key]))) // setJSONText counts it again
		tx.setJSONText(key, texts[key], doc)
	}
	return nil
}

// jsonSize is the length of the text of the document at a key, 0 if there is none.
func (tx *Txn) jsonSize(key string) int64 {
	if o := tx.entry(key).obj; o != nil && o.typ == typeJSON {
		return o.str().length
	}
	return 0
}

// JSONFits refuses to put n copies of something into the document at a key if that would make it too large,
// before they take the memory. bytes is what one takes as text, memory as values.
func (tx *Txn) JSONFits(key string, n, bytes int, memory int64) error {
	if n < 2 {
		return nil
	}
	if size := tx.jsonSize(key) + int64(n)*int64(bytes); size > MaxRecord {
		return ErrRecordSize(size)
	}
	tx.Take(int64(n) * (int64(bytes) + memory))
	tx.Room(tx.jsonSize(key) + int64(n)*int64(bytes)) // for the text
	return tx.err
}

// forgetJSON takes back changes of a document that have not been set.
func (tx *Txn) forgetJSON(key string) {
	if d, _ := tx.Document(key); d != nil {
		d.doc = nil
	}
}

// setJSONText is SetJSON given the document's text, parsed or nil.
func (tx *Txn) setJSONText(key, text string, doc *jsondoc.Value) {
	ent := tx.entry(key)
	var expires int64
	if ent.obj != nil {
		expires = ent.obj.expires
	}
	tx.Take(int64(len(text)))
	o := &object{typ: typeJSON, expires: expires}
	o.value = &Document{doc: doc, stringValue: stringValue{tx: tx, obj: o, s: text, loaded: true, length: int64(len(text))}}
	tx.replace(ent, o)
}
