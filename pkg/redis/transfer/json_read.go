package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// fileBatch is how many entries, and batchBytes about how many bytes, a batch of a file has at most.
const (
	fileBatch  = 256
	batchBytes = 1 << 20
)

// JSONReader reads the lines that a [JSONWriter] has written. It is a [Source], whose places are numbers of lines.
type JSONReader struct {
	r    *bufio.Reader
	line int64
	skip int64
}

// NewJSONReader reads lines behind a place, "" for all.
func NewJSONReader(r io.Reader, place string) (*JSONReader, error) {
	skip, err := placeNumber(place)
	return &JSONReader{r: bufio.NewReaderSize(r, 1<<20), skip: skip}, err
}

func placeNumber(place string) (int64, error) {
	if place == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(place, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("place %q of a file: want a number", place)
	}
	return n, nil
}

// Next implements Source. A line that cannot be read is an error: a file that is no export should not be imported
// up to its middle.
func (j *JSONReader) Next(context.Context) (Batch, error) {
	var b Batch
	for size := 0; len(b.Entries) < fileBatch && size < batchBytes; {
		line, err := j.r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return Batch{}, err
		}
		if len(line) == 0 {
			break
		}
		j.line++
		if j.line <= j.skip || len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		e, err := parseLine(line)
		if err != nil {
			return Batch{}, fmt.Errorf("line %d: %w", j.line, err)
		}
		size += len(line)
		b.Entries = append(b.Entries, e)
	}
	if len(b.Entries) == 0 {
		return Batch{}, io.EOF
	}
	b.Place = strconv.FormatInt(j.line, 10)
	return b, nil
}

type jsonLine struct {
	Key           *string          `json:"key"`
	Type          string           `json:"type"`
	ExpireAt      int64            `json:"expireAt"`
	Encoding      string           `json:"encoding"`
	Value         jsontext.Value   `json:"value"`
	FieldExpireAt map[string]int64 `json:"fieldExpireAt"`
}

func parseLine(line []byte) (Entry, error) {
	var l jsonLine
	if err := json.Unmarshal(line, &l, jsontext.AllowDuplicateNames(true), json.RejectUnknownMembers(true)); err != nil {
		return Entry{}, err
	}
	if l.Key == nil || l.Value == nil || l.Encoding != "" && l.Encoding != "base64" || l.ExpireAt < 0 {
		return Entry{}, errors.New("want an object with key, type, value, and maybe expireAt and encoding")
	}
	p := lineParser{binary: l.Encoding != ""}
	key := p.decode(*l.Key)
	v := p.value(l)
	if p.err != nil {
		return Entry{}, fmt.Errorf("key %.100q: %w", key, p.err)
	}
	return Entry{Key: key, ExpireAt: l.ExpireAt, Payload: rdb.Dump(v)}, nil
}

// lineParser makes values of lines. It keeps its first error.
type lineParser struct {
	binary bool
	err    error
}

func (p *lineParser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *lineParser) decode(s string) string {
	if !p.binary {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		p.fail(err)
	}
	return string(b)
}

// into reads JSON into a Go value.
func (p *lineParser) into(v jsontext.Value, to any) {
	if err := json.Unmarshal(v, to); err != nil {
		p.fail(err)
	}
}

func (p *lineParser) value(l jsonLine) rdb.Value {
	switch l.Type {
	case "string":
		return rdb.Value{Kind: rdb.String, String: p.string(l.Value)}
	case "list":
		return rdb.Value{Kind: rdb.List, List: p.strings(l.Value)}
	case "set":
		members := p.strings(l.Value)
		if len(slices.Compact(slices.Sorted(slices.Values(members)))) != len(members) {
			p.fail(errors.New("a member twice"))
		}
		return rdb.Value{Kind: rdb.Set, Set: members}
	case "hash":
		return rdb.Value{Kind: rdb.Hash, Hash: p.fields(l)}
	case "zset":
		return rdb.Value{Kind: rdb.ZSet, ZSet: p.members(l.Value)}
	case "stream":
		return rdb.Value{Kind: rdb.StreamKind, Stream: p.stream(l.Value)}
	case "json":
		return rdb.Value{Kind: rdb.JSON, JSON: string(l.Value)}
	}
	p.fail(fmt.Errorf("type %q: want string, list, set, hash, zset, stream or json", l.Type))
	return rdb.Value{}
}

func (p *lineParser) string(v jsontext.Value) string {
	var s string
	p.into(v, &s)
	return p.decode(s)
}

// strings reads an array that is not empty.
func (p *lineParser) strings(v jsontext.Value) []string {
	var ss []string
	p.into(v, &ss)
	if len(ss) == 0 {
		p.fail(errors.New("no element"))
	}
	for i, s := range ss {
		ss[i] = p.decode(s)
	}
	return ss
}

func (p *lineParser) fields(l jsonLine) []rdb.Field {
	var fields []rdb.Field
	d := jsontext.NewDecoder(bytes.NewReader(l.Value))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		p.fail(errors.New("want an object of fields"))
		return nil
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			p.fail(err)
			return nil
		}
		text := name.String()
		value, err := d.ReadToken()
		if err != nil || value.Kind() != '"' {
			p.fail(fmt.Errorf("field %.100q: want a string once", text))
			return nil
		}
		fields = append(fields, rdb.Field{Name: p.decode(text), Value: p.decode(value.String()), ExpireAt: l.FieldExpireAt[text]})
	}
	if _, err := d.ReadToken(); err != nil || len(fields) == 0 {
		p.fail(errors.New("want an object of fields, each once"))
	}
	return fields
}

// members reads pairs of a member and its score.
func (p *lineParser) members(v jsontext.Value) []rdb.Member {
	var pairs [][]jsontext.Value
	p.into(v, &pairs)
	members := make([]rdb.Member, 0, len(pairs))
	seen := make(map[string]bool, len(pairs))
	for _, pair := range pairs {
		if len(pair) != 2 {
			p.fail(errors.New("want pairs of a member and its score"))
			return nil
		}
		m := rdb.Member{Name: p.string(pair[0])}
		score, err := strconv.ParseFloat(strings.Trim(string(pair[1]), `"`), 64)
		if err != nil || math.IsNaN(score) || seen[m.Name] {
			p.fail(fmt.Errorf("member %.100q: want a score, once", m.Name))
		}
		m.Score = score
		seen[m.Name] = true
		members = append(members, m)
	}
	if len(members) == 0 {
		p.fail(errors.New("no member"))
	}
	return members
}

type jsonStream struct {
	Entries [][]string  `json:"entries"`
	Last    string      `json:"last"`
	Removed *string     `json:"removed"`
	Added   int64       `json:"added"`
	Groups  []jsonGroup `json:"groups"`
}

type jsonGroup struct {
	Name      string             `json:"name"`
	Last      string             `json:"last"`
	Read      int64              `json:"read"`
	Pending   [][]jsontext.Value `json:"pending"`
	Consumers [][]jsontext.Value `json:"consumers"`
}

func (p *lineParser) stream(v jsontext.Value) *rdb.Stream {
	var j jsonStream
	p.into(v, &j)
	s := &rdb.Stream{Last: p.id(j.Last), Added: j.Added, Old: j.Removed == nil}
	if j.Removed != nil {
		s.Removed = p.id(*j.Removed)
	}
	for _, e := range j.Entries {
		if len(e) < 3 || len(e)%2 != 1 {
			p.fail(errors.New("an entry is an id, fields and values"))
			return s
		}
		entry := rdb.StreamEntry{ID: p.id(e[0])}
		for _, text := range e[1:] {
			entry.Pairs = append(entry.Pairs, p.decode(text))
		}
		s.Entries = append(s.Entries, entry)
	}
	for _, g := range j.Groups {
		s.Groups = append(s.Groups, p.group(g))
	}
	return s
}

func (p *lineParser) group(j jsonGroup) rdb.StreamGroup {
	g := rdb.StreamGroup{Name: p.decode(j.Name), Last: p.id(j.Last), Read: j.Read}
	for _, row := range j.Pending {
		if len(row) != 4 {
			p.fail(errors.New("what is pending is an id, a consumer, a time and a number"))
			return g
		}
		pending := rdb.StreamPending{Consumer: p.string(row[1])}
		var id string
		p.into(row[0], &id)
		p.into(row[2], &pending.At)
		p.into(row[3], &pending.Count)
		pending.ID = p.id(id)
		g.Pending = append(g.Pending, pending)
	}
	for _, row := range j.Consumers {
		if len(row) != 3 {
			p.fail(errors.New("a consumer is a name and two times"))
			return g
		}
		c := rdb.StreamConsumer{Name: p.string(row[0])}
		p.into(row[1], &c.Seen)
		p.into(row[2], &c.Active)
		g.Consumers = append(g.Consumers, c)
	}
	return g
}

func (p *lineParser) id(s string) rdb.StreamID {
	ms, seq, _ := strings.Cut(s, "-")
	a, err := strconv.ParseUint(ms, 10, 64)
	b, err2 := strconv.ParseUint(seq, 10, 64)
	if err != nil || err2 != nil {
		p.fail(fmt.Errorf("id %.50q of a stream's entry", s))
	}
	return rdb.StreamID{Ms: a, Seq: b}
}
