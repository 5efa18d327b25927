package browse

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Element is a part of a value.
type Element struct {
	Name   string        // field of a hash, member of a set or sorted set, index in a list, id of a stream's entry
	Value  string        // of a field or in a list
	Score  string        // of a sorted set's member
	Pairs  [][2]string   // fields and values of a stream's entry
	TTL    time.Duration // of a hash's field
	Digest Digest        // of what can be edited: the value or the score
}

// Value is a key with a page of its elements, or the beginning of its text.
type Value struct {
	Key
	Text     string // of a string or a JSON document
	Cut      bool   // Text is not all of it
	Digest   Digest // of Text, unless it is cut
	Elements []Element
	Next     string // cursor of the next page; "": there is none
}

// ValueQuery asks for a page of a value.
type ValueQuery struct {
	Cursor  string // Value.Next of the page before; "": the first page
	Entry   string // of streams: only this one
	Match   string // pattern of fields and members (hashes, sets, sorted sets); as KeyQuery.Match
	Reverse bool   // sorted sets: the highest score first; lists: the last first; streams: the oldest first
	Count   int    // elements
	MaxText int    // bytes of a text
}

// Value reads a key. The error is ErrNoKey if there is none.
func (b *Browser) Value(ctx context.Context, name string, q ValueQuery) (*Value, error) {
	key, err := b.Key(ctx, name)
	if err != nil {
		return nil, err
	}
	v := &Value{Key: key}
	match := q.Match
	if match != "" && !strings.ContainsAny(match, "*?[") {
		match = "*" + escapeGlob(match) + "*"
	}
	switch key.Type {
	case String:
		err = b.readString(ctx, v, q)
	case JSON:
		err = b.readJSON(ctx, v, q)
	case Hash:
		err = b.readHash(ctx, v, q, match)
	case Set:
		err = b.readSet(ctx, v, q, match)
	case SortedSet:
		err = b.readSortedSet(ctx, v, q, match)
	case List:
		err = b.readList(ctx, v, q)
	case Stream:
		err = b.readStream(ctx, v, q)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (b *Browser) readString(ctx context.Context, v *Value, q ValueQuery) error {
	reply, err := b.do(ctx, "GETRANGE", v.Name, "0", strconv.Itoa(q.MaxText-1))
	v.Text = text(reply)
	v.Cut = int64(len(v.Text)) < v.Size
	v.Digest = DigestOf(v.Text)
	return err
}

func (b *Browser) readJSON(ctx context.Context, v *Value, q ValueQuery) error {
	reply, err := b.do(ctx, "JSON.GET", v.Name)
	v.Text = text(reply)
	v.Size = int64(len(v.Text))
	v.Digest = DigestOf(v.Text)
	if v.Cut = len(v.Text) > q.MaxText; v.Cut {
		v.Text = v.Text[:q.MaxText]
	}
	return err
}

// scan runs HSCAN, SSCAN or ZSCAN until there is about a page.
func (b *Browser) scan(ctx context.Context, v *Value, command string, width int, q ValueQuery, match string) ([]string, error) {
	var out []string
	cursor := q.Cursor
	step := q.Count
	if match != "" {
		step = scanStep
	}
	for range maxSteps {
		args := []string{command, v.Name, cursor, "COUNT", strconv.Itoa(step)}
		if match != "" {
			args = append(args, "MATCH", match)
		}
		reply, err := b.do(ctx, args...)
		if err != nil {
			return nil, err
		}
		parts, _ := reply.([]any)
		if len(parts) != 2 {
			return nil, errors.New(command + ": unexpected answer")
		}
		out = append(out, texts(parts[1])...)
		if cursor = text(parts[0]); cursor == "0" {
			cursor = ""
			break
		}
		if len(out) >= q.Count*width {
			break
		}
	}
	v.Next = cursor
	return out, nil
}

func (b *Browser) readHash(ctx context.Context, v *Value, q ValueQuery, match string) error {
	flat, err := b.scan(ctx, v, "HSCAN", 2, q, match)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		v.Elements = append(v.Elements, Element{Name: flat[i], Value: flat[i+1], TTL: NoExpiry, Digest: DigestOf(flat[i+1])})
		names = append(names, flat[i])
	}
	if len(names) == 0 {
		return nil
	}
	reply, err := b.do(ctx, append([]string{"HPTTL", v.Name, "FIELDS", strconv.Itoa(len(names))}, names...)...)
	if err != nil {
		return err
	}
	if list, ok := reply.([]any); ok && len(list) == len(names) {
		for i := range list {
			v.Elements[i].TTL = ttl(list[i])
		}
	}
	return nil
}

func (b *Browser) readSet(ctx context.Context, v *Value, q ValueQuery, match string) error {
	members, err := b.scan(ctx, v, "SSCAN", 1, q, match)
	for _, m := range members {
		v.Elements = append(v.Elements, Element{Name: m})
	}
	return err
}

func (b *Browser) readSortedSet(ctx context.Context, v *Value, q ValueQuery, match string) error {
	var flat []string
	var err error
	if match != "" {
		flat, err = b.scan(ctx, v, "ZSCAN", 2, q, match)
	} else {
		start := v.window(q)
		args := []string{"ZRANGE", v.Name, strconv.FormatInt(start, 10), strconv.FormatInt(start+int64(q.Count)-1, 10)}
		if q.Reverse {
			args = append(args, "REV")
		}
		var reply any
		reply, err = b.do(ctx, append(args, "WITHSCORES")...)
		flat = texts(reply)
	}
	for i := 0; i+1 < len(flat); i += 2 {
		v.Elements = append(v.Elements, Element{Name: flat[i], Score: flat[i+1], Digest: DigestOf(flat[i+1])})
	}
	return err
}

// window is where a page begins that a cursor gives by number, and sets the next one's.
func (v *Value) window(q ValueQuery) int64 {
	start, _ := strconv.ParseInt(q.Cursor, 10, 64)
	start = min(max(0, start), v.Size)
	if next := start + int64(q.Count); next < v.Size {
		v.Next = strconv.FormatInt(next, 10)
	}
	return start
}

func (b *Browser) readList(ctx context.Context, v *Value, q ValueQuery) error {
	start := v.window(q)
	from, to := start, start+int64(q.Count)-1
	if q.Reverse {
		from, to = max(0, v.Size-1-to), v.Size-1-from
	}
	reply, err := b.do(ctx, "LRANGE", v.Name, strconv.FormatInt(from, 10), strconv.FormatInt(to, 10))
	for i, value := range texts(reply) {
		v.Elements = append(v.Elements, Element{
			Name: strconv.FormatInt(from+int64(i), 10), Value: value, Digest: DigestOf(value),
		})
	}
	if q.Reverse {
		slices.Reverse(v.Elements)
	}
	return err
}

func (b *Browser) readStream(ctx context.Context, v *Value, q ValueQuery) error {
	args := []string{"XREVRANGE", v.Name, "+", "-"}
	if q.Reverse {
		args = []string{"XRANGE", v.Name, "-", "+"}
	}
	if q.Cursor != "" {
		args[2] = "(" + q.Cursor
	}
	if q.Entry != "" {
		args[2], args[3] = q.Entry, q.Entry
	}
	reply, err := b.do(ctx, append(args, "COUNT", strconv.Itoa(q.Count+1))...)
	if err != nil {
		return err
	}
	entries, _ := reply.([]any)
	if len(entries) > q.Count {
		entries = entries[:q.Count]
		defer func() { v.Next = v.Elements[len(v.Elements)-1].Name }()
	}
	for _, e := range entries {
		parts, _ := e.([]any)
		if len(parts) != 2 {
			return errors.New(args[0] + ": unexpected answer")
		}
		el := Element{Name: text(parts[0])}
		flat := texts(parts[1])
		for i := 0; i+1 < len(flat); i += 2 {
			el.Pairs = append(el.Pairs, [2]string{flat[i], flat[i+1]})
		}
		v.Elements = append(v.Elements, el)
	}
	return nil
}

// Raw reads all of a text: a string's or a JSON document's, or with the name of an
// element its value. Of sets and sorted sets it is the member, of streams the entry has
// no text. The error is ErrNoKey if there is no such thing.
func (b *Browser) Raw(ctx context.Context, name, element string) (string, error) {
	key, err := b.Key(ctx, name)
	if err != nil {
		return "", err
	}
	args := map[string][]string{
		String: {"GET", name}, JSON: {"JSON.GET", name}, Hash: {"HGET", name, element}, List: {"LINDEX", name, element},
	}[key.Type]
	if args == nil {
		return "", ErrNoKey
	}
	reply, err := b.do(ctx, args...)
	if err == nil && reply == nil {
		err = ErrNoKey
	}
	return text(reply), err
}

// Element reads one element of a key by its name, and the key's type. The error is ErrNoKey if there is
// no such thing.
func (b *Browser) Element(ctx context.Context, name, element string) (el Element, typ string, err error) {
	key, err := b.Key(ctx, name)
	if err != nil {
		return el, "", err
	}
	el = Element{Name: element, TTL: NoExpiry}
	var reply any
	switch key.Type {
	case Hash, List:
		if el.Value, err = b.Raw(ctx, name, element); err != nil {
			return el, "", err
		}
		el.Digest = DigestOf(el.Value)
		if key.Type == Hash {
			reply, err = b.do(ctx, "HPTTL", name, "FIELDS", "1", element)
			if list, ok := reply.([]any); ok && len(list) == 1 {
				el.TTL = ttl(list[0])
			}
		}
		return el, key.Type, err
	case Set:
		if reply, err = b.do(ctx, "SISMEMBER", name, element); err == nil && number(reply) == 0 {
			err = ErrNoKey
		}
	case SortedSet:
		if reply, err = b.do(ctx, "ZSCORE", name, element); err == nil && reply == nil {
			err = ErrNoKey
		}
		el.Score = text(reply)
		el.Digest = DigestOf(el.Score)
	case Stream:
		v := &Value{Key: key}
		err = b.readStream(ctx, v, ValueQuery{Entry: element, Count: 1})
		if err == nil && len(v.Elements) == 0 {
			err = ErrNoKey
		}
		if err == nil {
			el = v.Elements[0]
		}
	default:
		err = ErrNoKey
	}
	return el, key.Type, err
}
