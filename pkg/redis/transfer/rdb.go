package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// Versions of RDB files, by the first Redis that loads them.
const (
	Redis70 = rdb.VersionRedis70
	Redis72 = rdb.VersionRedis72
	Redis74 = rdb.VersionRedis74
)

// Documents says what becomes of JSON documents in an RDB file.
type Documents string

// What becomes of documents. A Redis loads a document only with the module RedisJSON: without it, it does not start.
const (
	AsStrings Documents = "string"
	LeftOut   Documents = "skip"
	OfModule  Documents = "module"
)

// RDBWriter writes entries as an RDB file.
type RDBWriter struct {
	f         *rdb.FileWriter
	version   int
	documents Documents
}

// NewRDBWriter begins a file for a version of Redis.
func NewRDBWriter(w io.Writer, version int, documents Documents) (*RDBWriter, error) {
	f, err := rdb.NewFileWriter(w, version, "skystash", "export")
	return &RDBWriter{f, version, documents}, err
}

// Write adds an entry, and says what of it is not in the file.
func (w *RDBWriter) Write(e Entry) ([]Skipped, error) {
	var notes []Skipped
	payload := e.payload()
	if rdb.IsJSON(payload) && w.documents != OfModule {
		if w.documents == LeftOut {
			return []Skipped{{Key: e.Key, Why: "it is a JSON document"}}, nil
		}
		v, err := rdb.Load(payload)
		if err != nil {
			return []Skipped{{Key: e.Key, Why: err.Error()}}, nil
		}
		payload = rdb.Dump(rdb.Value{Kind: rdb.String, String: v.JSON})
		notes = append(notes, Skipped{Key: e.Key, Why: "it is a JSON document, and has become a string with its text", Partly: true})
	}
	older, lost, err := rdb.Older(payload, w.version)
	if err != nil {
		return []Skipped{{Key: e.Key, Why: err.Error()}}, nil
	}
	if lost != "" {
		notes = append(notes, Skipped{Key: e.Key, Why: "without " + lost, Partly: true})
	}
	err = w.f.Write(e.Key, e.ExpireAt, older)
	return notes, err
}

// Close ends the file with its checksum.
func (w *RDBWriter) Close() error { return w.f.Close() }

// RDBReader reads the keys of an RDB file. It is a [Source], whose places are numbers of keys.
type RDBReader struct {
	f        *rdb.FileReader
	db       int
	skip, at int64
	others   map[int]int // keys of other databases, by their numbers
	done     bool
}

// NewRDBReader reads the keys of a database behind a place, "" for all.
func NewRDBReader(r io.Reader, db int, place string) (*RDBReader, error) {
	skip, err := placeNumber(place)
	if err != nil {
		return nil, err
	}
	f, err := rdb.NewFileReader(r)
	return &RDBReader{f: f, db: db, skip: skip, others: map[int]int{}}, err
}

// Next implements Source. With the last batch it says what of the file is not among the entries.
func (r *RDBReader) Next(context.Context) (Batch, error) {
	var b Batch
	if r.done {
		return b, io.EOF
	}
	for size := 0; len(b.Entries) < fileBatch && size < batchBytes; {
		e, err := r.f.Next()
		if errors.Is(err, io.EOF) {
			r.done = true
			b.Skipped = r.leftOut()
			break
		}
		if err != nil {
			return Batch{}, err
		}
		r.at++
		if e.DB != r.db {
			r.others[e.DB]++
			continue
		}
		if r.at <= r.skip {
			continue
		}
		b.Entries = append(b.Entries, Entry{Key: e.Key, ExpireAt: e.ExpireAt, Payload: e.Payload})
		size += len(e.Payload)
	}
	b.Place = strconv.FormatInt(r.at, 10)
	return b, nil
}

func (r *RDBReader) leftOut() []Skipped {
	var notes []Skipped
	for db, n := range r.others {
		notes = append(notes, Skipped{Why: fmt.Sprintf("%d keys are in the file's database %d, and database %d was asked for", n, db, r.db)})
	}
	if n := r.f.Functions(); n > 0 {
		notes = append(notes, Skipped{Why: fmt.Sprintf("%d libraries of functions are in the file: load them with FUNCTION LOAD", n)})
	}
	return notes
}
