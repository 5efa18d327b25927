package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// Reader reads entries from a server by their keys.
type Reader struct {
	Peer Peer
	Now  func() time.Time // for servers that know no PEXPIRETIME

	noExpireTime bool // PEXPIRETIME is not known; Redis has it since 7.0
}

// Scan reads all keys of a server. It is a [Source], whose places are cursors of SCAN.
type Scan struct {
	Reader
	Match  string // pattern of SCAN; "": all
	Count  int    // keys a batch, about; 0: 200
	cursor string
	done   bool
}

// NewScan reads behind a place, "" for all.
func NewScan(p Peer, now func() time.Time, place string) *Scan {
	s := &Scan{Reader: Reader{Peer: p, Now: now}, cursor: "0"}
	if place != "" {
		s.cursor, s.done = place, place == "0"
	}
	return s
}

// Next implements Source.
func (s *Scan) Next(ctx context.Context) (Batch, error) {
	if s.done {
		return Batch{}, io.EOF
	}
	count := s.Count
	if count == 0 {
		count = 200
	}
	cmd := []string{"SCAN", s.cursor, "COUNT", strconv.Itoa(count)}
	if s.Match != "" {
		cmd = append(cmd, "MATCH", s.Match)
	}
	reply, err := one(ctx, s.Peer, cmd...)
	if err != nil {
		return Batch{}, fmt.Errorf("SCAN: %w", err)
	}
	cursor, keys, err := scanned(reply)
	if err != nil {
		return Batch{}, err
	}
	b, err := s.Read(ctx, keys)
	if err != nil {
		return Batch{}, err
	}
	s.cursor, s.done = cursor, cursor == "0"
	b.Place = cursor
	return b, nil
}

// scanned reads the reply of SCAN and its relatives.
func scanned(reply any) (cursor string, members []string, err error) {
	two, ok := reply.([]any)
	if !ok || len(two) != 2 {
		return "", nil, fmt.Errorf("SCAN was answered by %.100v", reply)
	}
	cursor, ok = two[0].(string)
	list, ok2 := two[1].([]any)
	if !ok || !ok2 {
		return "", nil, fmt.Errorf("SCAN was answered by %.100v", reply)
	}
	return cursor, texts(list), nil
}

func texts(list []any) []string {
	out := make([]string, 0, len(list))
	for _, m := range list {
		s, _ := m.(string)
		out = append(out, s)
	}
	return out
}

// Read reads keys. Those that are not there any more are not in the batch.
func (r *Reader) Read(ctx context.Context, keys []string) (Batch, error) {
	if len(keys) == 0 {
		return Batch{}, nil
	}
	expire := "PEXPIRETIME"
	if r.noExpireTime {
		expire = "PTTL"
	}
	cmds := make([][]string, 0, 2*len(keys))
	for _, k := range keys {
		cmds = append(cmds, []string{expire, k}, []string{"DUMP", k})
	}
	replies, err := do(ctx, r.Peer, cmds...)
	if errors.Is(err, ErrTooLarge) {
		return r.halves(ctx, keys)
	}
	if err != nil {
		return Batch{}, err
	}
	if refused, ok := replies[0].(resp.Error); ok && !r.noExpireTime && strings.Contains(strings.ToLower(string(refused)), "unknown command") {
		r.noExpireTime = true
		return r.Read(ctx, keys)
	}
	var b Batch
	for i, key := range keys {
		e := Entry{Key: key}
		if ms, ok := replies[2*i].(int64); ok && ms > 0 {
			if e.ExpireAt = ms; r.noExpireTime {
				e.ExpireAt += r.Now().UnixMilli()
			}
		}
		switch reply := replies[2*i+1].(type) {
		case nil: // gone
		case string:
			e.Payload = reply
			b.Entries = append(b.Entries, e)
		default:
			if refused, ok := reply.(resp.Error); ok && len(keys) > 1 && strings.Contains(string(refused), "max request size") {
				err = r.alone(ctx, &b, key) // it may only be too large beside the others
				break
			}
			err = r.pieces(ctx, &b, e, reply)
		}
		if err != nil {
			return Batch{}, err
		}
	}
	return b, nil
}

func (r *Reader) alone(ctx context.Context, b *Batch, key string) error {
	one, err := r.Read(ctx, []string{key})
	b.Entries = append(b.Entries, one.Entries...)
	b.Skipped = append(b.Skipped, one.Skipped...)
	return err
}

// halves reads keys whose values do not fit into one answer.
func (r *Reader) halves(ctx context.Context, keys []string) (b Batch, err error) {
	if len(keys) == 1 {
		return b, r.pieces(ctx, &b, Entry{Key: keys[0]}, ErrTooLarge)
	}
	for _, half := range [][]string{keys[:len(keys)/2], keys[len(keys)/2:]} {
		part, err := r.Read(ctx, half)
		if err != nil {
			return Batch{}, err
		}
		b.Entries = append(b.Entries, part.Entries...)
		b.Skipped = append(b.Skipped, part.Skipped...)
	}
	return b, nil
}

// pieces adds a value that DUMP does not give, read by its type.
func (r *Reader) pieces(ctx context.Context, b *Batch, e Entry, why any) error {
	v, there, err := readByType(ctx, r.Peer, e.Key)
	var refused resp.Error
	switch {
	case errors.As(err, &refused) || errors.Is(err, ErrTooLarge) || errors.Is(err, errUnknownType):
		b.Skipped = append(b.Skipped, Skipped{Key: e.Key, Why: fmt.Sprintf("DUMP: %v; by type: %v", why, err)})
	case err != nil:
		return err
	case there:
		e.Large = &v
		b.Entries = append(b.Entries, e)
	}
	return nil
}
