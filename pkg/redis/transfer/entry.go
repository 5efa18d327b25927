package transfer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// Entry is a key with its value.
type Entry struct {
	Key      string
	ExpireAt int64  // Unix time in milliseconds; 0: never
	Payload  string // as DUMP answers it

	// Large is set instead of Payload if the value can only be read in pieces.
	Large *rdb.Value
}

// Size is about how many bytes an entry takes.
func (e Entry) Size() int { return len(e.Key) + len(e.Payload) }

// value decodes the payload.
func (e Entry) value() (rdb.Value, error) {
	if e.Large != nil {
		return *e.Large, nil
	}
	return rdb.Load(e.Payload)
}

// payload is the value as DUMP answers it.
func (e Entry) payload() string {
	if e.Large != nil {
		return rdb.Dump(*e.Large)
	}
	return e.Payload
}

// Skipped is a key that was not moved, or not all of it.
type Skipped struct {
	Key, Why string
	Partly   bool // the key has arrived, but something of it has not
}

// Batch is what a [Source] gives at a time.
type Batch struct {
	Entries []Entry
	Skipped []Skipped
	Place   string // behind the batch; see Source
}

// Source gives the entries of a database.
type Source interface {
	// Next returns the next batch, which may be empty, or io.EOF after the last.
	Next(ctx context.Context) (Batch, error)
}

// Result tells what became of entries.
type Result struct {
	Skipped []Skipped
	There   int // entries whose keys had these values already
}

// Target takes entries. It may be used by several goroutines.
type Target interface {
	Write(ctx context.Context, entries []Entry) (Result, error)
}

// Same reports whether two entries have the same key, expiry and value. The order in which sets and hashes
// have their elements does not count, nor how they are encoded, nor the white space of documents.
func Same(a, b Entry) (bool, error) {
	if a.Key != b.Key || a.ExpireAt != b.ExpireAt {
		return false, nil
	}
	if a.Payload != "" && a.Payload == b.Payload {
		return true, nil
	}
	x, err := a.value()
	if err != nil {
		return false, fmt.Errorf("value of %.100q: %w", a.Key, err)
	}
	y, err := b.value()
	if err != nil {
		return false, fmt.Errorf("value of %.100q: %w", b.Key, err)
	}
	return x.Kind == y.Kind && bytes.Equal(canonical(x), canonical(y)), nil
}

// canonical is the same for two values that are equal.
func canonical(v rdb.Value) []byte {
	switch v.Kind {
	case rdb.Set:
		slices.Sort(v.Set)
	case rdb.Hash:
		slices.SortFunc(v.Hash, func(a, b rdb.Field) int { return cmp.Compare(a.Name, b.Name) })
	case rdb.ZSet:
		slices.SortFunc(v.ZSet, func(a, b rdb.Member) int {
			return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Name, b.Name))
		})
	case rdb.JSON:
		if doc, err := jsondoc.Parse(v.JSON); err == nil {
			v.JSON = string(doc.AppendTo(nil))
		}
	case rdb.StreamKind:
		s := *v.Stream
		s.Groups = slices.Clone(s.Groups)
		for i := range s.Groups {
			g := &s.Groups[i]
			g.Consumers = slices.SortedFunc(slices.Values(g.Consumers), func(a, b rdb.StreamConsumer) int { return cmp.Compare(a.Name, b.Name) })
		}
		slices.SortFunc(s.Groups, func(a, b rdb.StreamGroup) int { return cmp.Compare(a.Name, b.Name) })
		v.Stream = &s
	}
	w := lineWriter{b: appendValue(nil, v, false)} // in base64, so that any bytes differ
	if v.Kind == rdb.Hash {
		w.fieldExpiries(v.Hash)
	}
	return w.b
}
