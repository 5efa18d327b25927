package browse

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis"
)

// Types of keys, as TYPE has them.
const (
	String    = "string"
	Hash      = "hash"
	List      = "list"
	Set       = "set"
	SortedSet = "zset"
	Stream    = "stream"
	JSON      = "ReJSON-RL"
)

// Types are all types, in the order in which they are offered.
var Types = []string{String, Hash, List, Set, SortedSet, Stream, JSON}

// sizeOf are the commands that tell the size of a key: bytes of strings and
// documents, elements of the others.
var sizeOf = map[string][]string{
	String: {"STRLEN"}, Hash: {"HLEN"}, List: {"LLEN"}, Set: {"SCARD"}, SortedSet: {"ZCARD"}, Stream: {"XLEN"},
	JSON: {"JSON.DEBUG", "MEMORY"},
}

// Key is a key in a list.
type Key struct {
	Name string
	Type string
	TTL  time.Duration // NoExpiry: it does not expire
	Size int64         // bytes of a string (of a JSON document about), elements of others
}

// KeyQuery asks for keys.
type KeyQuery struct {
	Match  string // pattern; a text without *, ? and [ is searched for in the names; "": all
	Type   string // "": all
	Cursor string // KeyPage.Next of the page before; "": the first page
	Count  int    // about how many
}

// KeyPage is a page of the keys. Within a page they are in the order of their names, but for the key
// that was searched for, which is first; of the pages there is no order.
type KeyPage struct {
	Keys []Key
	Next string // "": this is the last page
}

// How much of the keyspace is looked through for one page.
const (
	scanStep = 500
	maxSteps = 20
)

// Keys lists keys. A page may have fewer than asked for, even none, and still not be
// the last one: the keyspace is looked through only so far at once.
func (b *Browser) Keys(ctx context.Context, q KeyQuery) (KeyPage, error) {
	var names, types []string
	seen := map[string]bool{}
	add := func(name, typ string) {
		if !seen[name] {
			seen[name] = true
			names, types = append(names, name), append(types, typ)
		}
	}
	pattern := q.Match
	if pattern != "" && !strings.ContainsAny(pattern, "*?[") {
		pattern = "*" + escapeGlob(pattern) + "*"
	}
	cursor := q.Cursor
	if q.Match != "" && cursor == "" {
		// The very key comes first, wherever SCAN would find it.
		typ, err := b.typeOf(ctx, q.Match)
		if err != nil && !errors.Is(err, ErrNoKey) {
			return KeyPage{}, err
		}
		if err == nil && (q.Type == "" || q.Type == typ) {
			add(q.Match, typ)
		}
	}
	for range maxSteps {
		step := scanStep
		if pattern == "" && q.Type == "" {
			step = max(1, q.Count-len(names)) // each key is one that is asked for
		}
		args := []string{"SCAN", cursor, "COUNT", strconv.Itoa(step)}
		if pattern != "" {
			args = append(args, "MATCH", pattern)
		}
		if q.Type != "" {
			args = append(args, "TYPE", q.Type)
		}
		reply, err := b.do(ctx, append(args, "WITHTYPE")...)
		if err != nil {
			return KeyPage{}, err
		}
		parts, _ := reply.([]any)
		if len(parts) != 2 {
			return KeyPage{}, errors.New("SCAN: unexpected answer")
		}
		found := texts(parts[1])
		for i := 0; i+1 < len(found); i += 2 {
			if q.Cursor != "" && found[i] == q.Match {
				continue // it was on the first page
			}
			add(found[i], found[i+1])
		}
		if cursor = text(parts[0]); cursor == "0" {
			cursor = ""
			break
		}
		if len(names) >= q.Count {
			break
		}
	}
	keys, err := b.describe(ctx, names, types)
	slices.SortFunc(keys, func(a, b Key) int {
		switch q.Match {
		case a.Name:
			return -1
		case b.Name:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return KeyPage{Keys: keys, Next: cursor}, err
}

// escapeGlob makes a text a pattern that matches it alone.
func escapeGlob(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }

// typeOf is a key's type.
func (b *Browser) typeOf(ctx context.Context, name string) (string, error) {
	reply, err := b.do(ctx, "TYPE", name)
	var refused redis.Error
	if text(reply) == "none" || errors.As(err, &refused) { // no key has so long a name
		return "", ErrNoKey
	}
	return text(reply), err
}

// describe reads what is shown of keys. Those that are gone meanwhile are left out.
func (b *Browser) describe(ctx context.Context, names, types []string) ([]Key, error) {
	var cmds [][]string
	for i, name := range names {
		size := sizeOf[types[i]]
		if size == nil {
			size = []string{"EXISTS"}
		}
		cmds = append(cmds, []string{"PTTL", name}, append(size[:len(size):len(size)], name))
	}
	if len(cmds) == 0 {
		return nil, nil
	}
	replies, err := b.pipeline(ctx, cmds)
	if err != nil {
		return nil, err
	}
	keys := make([]Key, 0, len(names))
	for i, name := range names {
		left := number(replies[2*i])
		if left == -2 {
			continue
		}
		keys = append(keys, Key{Name: name, Type: types[i], TTL: ttl(left), Size: number(replies[2*i+1])})
	}
	return keys, nil
}

// Key describes one key. The error is ErrNoKey if there is none.
func (b *Browser) Key(ctx context.Context, name string) (Key, error) {
	typ, err := b.typeOf(ctx, name)
	if err != nil {
		return Key{}, err
	}
	keys, err := b.describe(ctx, []string{name}, []string{typ})
	if err != nil {
		return Key{}, err
	}
	if len(keys) == 0 {
		return Key{}, ErrNoKey
	}
	return keys[0], nil
}

// CountKeys counts all keys, which reads all of the keyspace.
func (b *Browser) CountKeys(ctx context.Context) (int64, error) {
	reply, err := b.do(ctx, "DBSIZE")
	return number(reply), err
}

// Delete deletes keys and returns how many there were.
func (b *Browser) Delete(ctx context.Context, names ...string) (int64, error) {
	reply, err := b.do(ctx, append([]string{"UNLINK"}, names...)...)
	return number(reply), err
}

// Rename renames a key, unless there is one of the new name.
func (b *Browser) Rename(ctx context.Context, name, to string) error {
	reply, err := b.do(ctx, "RENAMENX", name, to)
	var refused redis.Error
	switch {
	case errors.As(err, &refused) && strings.Contains(string(refused), "no such key"):
		return ErrNoKey
	case err == nil && number(reply) == 0 && name != to:
		return ErrExists
	}
	return err
}

// Expire sets a key's time to live; NoExpiry takes it away.
func (b *Browser) Expire(ctx context.Context, name string, d time.Duration) error {
	if d == NoExpiry {
		if _, err := b.typeOf(ctx, name); err != nil {
			return err
		}
		_, err := b.do(ctx, "PERSIST", name)
		return err
	}
	reply, err := b.do(ctx, "PEXPIRE", name, strconv.FormatInt(max(1, d.Milliseconds()), 10))
	if err == nil && number(reply) == 0 {
		return ErrNoKey
	}
	return err
}
