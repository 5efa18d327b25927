package browse

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// NewKey describes a key to be created.
type NewKey struct {
	Name  string
	Type  string
	Value string // of a string or JSON document; the first element, field's value or member of others
	Field string // of a hash's field or a stream's entry
	Score string // of a sorted set's member; "": 0
	TTL   time.Duration
}

// Create creates a key. The error is ErrExists if there is one of that name.
func (b *Browser) Create(ctx context.Context, n NewKey) error {
	if n.Score == "" {
		n.Score = "0"
	}
	write := map[string][]string{
		String:    {"SET", n.Name, n.Value},
		Hash:      {"HSET", n.Name, n.Field, n.Value},
		List:      {"RPUSH", n.Name, n.Value},
		Set:       {"SADD", n.Name, n.Value},
		SortedSet: {"ZADD", n.Name, n.Score, n.Value},
		Stream:    {"XADD", n.Name, "*", n.Field, n.Value},
		JSON:      {"JSON.SET", n.Name, "$", n.Value},
	}[n.Type]
	if write == nil {
		return errors.New("there is no such type")
	}
	writes := [][]string{write}
	if n.TTL > 0 {
		writes = append(writes, []string{"PEXPIRE", n.Name, strconv.FormatInt(max(1, n.TTL.Milliseconds()), 10)})
	}
	err := b.guarded(ctx, n.Name, DigestOf("0"), []string{"EXISTS", n.Name}, writes...)
	if errors.Is(err, ErrChanged) {
		return ErrExists
	}
	return err
}

// SetString replaces a string; its time to live stays.
func (b *Browser) SetString(ctx context.Context, key, value string, seen Digest) error {
	return b.guarded(ctx, key, seen, []string{"GET", key}, []string{"SET", key, value, "XX", "KEEPTTL"})
}

// SetJSON replaces a document.
func (b *Browser) SetJSON(ctx context.Context, key, document string, seen Digest) error {
	return b.guarded(ctx, key, seen, []string{"JSON.GET", key}, []string{"JSON.SET", key, "$", document, "XX"})
}

// AddField adds a field to a hash. The error is ErrExists if it has one of that name.
func (b *Browser) AddField(ctx context.Context, key, field, value string) error {
	if _, err := b.ofType(ctx, key, Hash); err != nil {
		return err
	}
	err := b.guarded(ctx, key, DigestOf("0"), []string{"HEXISTS", key, field}, []string{"HSET", key, field, value})
	if errors.Is(err, ErrChanged) {
		return ErrExists
	}
	return err
}

// ofType reads a key that must be of a type.
func (b *Browser) ofType(ctx context.Context, key, typ string) (string, error) {
	got, err := b.typeOf(ctx, key)
	if err == nil && got != typ {
		err = ErrNoKey
	}
	return got, err
}

// SetField replaces a field's value. A time to live of the field ends with its value.
func (b *Browser) SetField(ctx context.Context, key, field, value string, seen Digest) error {
	return b.guarded(ctx, key, seen, []string{"HGET", key, field}, []string{"HSET", key, field, value})
}

// ExpireField sets a field's time to live; NoExpiry takes it away.
func (b *Browser) ExpireField(ctx context.Context, key, field string, d time.Duration) error {
	args := []string{"HPERSIST", key, "FIELDS", "1", field}
	if d != NoExpiry {
		args = []string{"HPEXPIRE", key, strconv.FormatInt(max(1, d.Milliseconds()), 10), "FIELDS", "1", field}
	}
	reply, err := b.do(ctx, args...)
	if list, ok := reply.([]any); err == nil && (!ok || len(list) == 1 && number(list[0]) == -2) {
		return ErrNoKey
	}
	return err
}

// Push adds an element to a list, at its end or its front.
func (b *Browser) Push(ctx context.Context, key, value string, front bool) error {
	command := "RPUSH"
	if front {
		command = "LPUSH"
	}
	return b.ifType(ctx, key, List, command, key, value)
}

// SetItem replaces the element at an index of a list.
func (b *Browser) SetItem(ctx context.Context, key, index, value string, seen Digest) error {
	return b.guarded(ctx, key, seen, []string{"LINDEX", key, index}, []string{"LSET", key, index, value})
}

// removed takes the place of an element that is removed; nobody else sees it there.
const removed = "\x00skystash: removed by the data browser\x00"

// RemoveItem removes the element at an index of a list.
func (b *Browser) RemoveItem(ctx context.Context, key, index string, seen Digest) error {
	return b.guarded(ctx, key, seen, []string{"LINDEX", key, index},
		[]string{"LSET", key, index, removed}, []string{"LREM", key, "1", removed})
}

// AddMember adds a member to a set. The error is ErrExists if it has it.
func (b *Browser) AddMember(ctx context.Context, key, member string) error {
	if _, err := b.ofType(ctx, key, Set); err != nil {
		return err
	}
	err := b.guarded(ctx, key, DigestOf("0"), []string{"SISMEMBER", key, member}, []string{"SADD", key, member})
	if errors.Is(err, ErrChanged) {
		return ErrExists
	}
	return err
}

// AddScored adds a member to a sorted set. The error is ErrExists if it has it.
func (b *Browser) AddScored(ctx context.Context, key, member, score string) error {
	if _, err := b.ofType(ctx, key, SortedSet); err != nil {
		return err
	}
	err := b.guarded(ctx, key, DigestOf(""), []string{"ZSCORE", key, member}, []string{"ZADD", key, "NX", score, member})
	if errors.Is(err, ErrChanged) {
		return ErrExists
	}
	return err
}

// SetScore changes a member's score.
func (b *Browser) SetScore(ctx context.Context, key, member, score string, seen Digest) error {
	return b.guarded(ctx, key, seen, []string{"ZSCORE", key, member}, []string{"ZADD", key, "XX", score, member})
}

// AddEntry adds an entry to a stream.
func (b *Browser) AddEntry(ctx context.Context, key, id string, pairs ...string) error {
	if id == "" {
		id = "*"
	}
	return b.ifType(ctx, key, Stream, append([]string{"XADD", key, id}, pairs...)...)
}

// Remove removes an element by its name: a field, a member or an entry. The error is
// ErrNoKey if there is no such thing.
func (b *Browser) Remove(ctx context.Context, key, element string) error {
	typ, err := b.typeOf(ctx, key)
	if err != nil {
		return err
	}
	command := map[string]string{Hash: "HDEL", Set: "SREM", SortedSet: "ZREM", Stream: "XDEL"}[typ]
	if command == "" {
		return ErrNoKey
	}
	reply, err := b.do(ctx, command, key, element)
	if err == nil && number(reply) == 0 {
		return ErrNoKey
	}
	return err
}
