package transfer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// pieceElements and pieceBytes are how much of a large value is read or written at a time.
const (
	pieceElements = 500
	pieceBytes    = 512 << 10
)

var errUnknownType = errors.New("values of this type cannot be moved")

// readByType reads a value in pieces. there is false if the key is gone.
func readByType(ctx context.Context, p Peer, key string) (v rdb.Value, there bool, err error) {
	kind, err := one(ctx, p, "TYPE", key)
	if err != nil {
		return v, false, err
	}
	switch kind {
	case "none":
		return v, false, nil
	case "string":
		v, err = readString(ctx, p, key)
	case "list":
		v, err = readList(ctx, p, key)
	case "set":
		v.Kind = rdb.Set
		err = scanPieces(ctx, p, "SSCAN", key, 1, func(m []string) error {
			v.Set = append(v.Set, m[0])
			return nil
		})
	case "zset":
		v.Kind = rdb.ZSet
		err = scanPieces(ctx, p, "ZSCAN", key, 2, func(m []string) error {
			score, err := strconv.ParseFloat(m[1], 64)
			v.ZSet = append(v.ZSet, rdb.Member{Name: m[0], Score: score})
			return err
		})
	case "hash":
		v, err = readHash(ctx, p, key)
	case "stream":
		v, err = readStream(ctx, p, key)
	case "json", "ReJSON-RL":
		var doc any
		doc, err = one(ctx, p, "JSON.GET", key)
		text, _ := doc.(string)
		v = rdb.Value{Kind: rdb.JSON, JSON: text}
		return v, text != "", err
	default:
		return v, false, fmt.Errorf("%w: %.50v", errUnknownType, kind)
	}
	empty := v.Kind != rdb.String && v.Kind != rdb.StreamKind && len(v.List)+len(v.Set)+len(v.Hash)+len(v.ZSet) == 0
	return v, err == nil && !empty, err
}

func readString(ctx context.Context, p Peer, key string) (rdb.Value, error) {
	var b strings.Builder
	for {
		piece, err := one(ctx, p, "GETRANGE", key, strconv.Itoa(b.Len()), strconv.Itoa(b.Len()+pieceBytes-1))
		if err != nil {
			return rdb.Value{}, err
		}
		s, _ := piece.(string)
		b.WriteString(s)
		if len(s) < pieceBytes {
			return rdb.Value{Kind: rdb.String, String: b.String()}, nil
		}
	}
}

func readList(ctx context.Context, p Peer, key string) (rdb.Value, error) {
	v := rdb.Value{Kind: rdb.List}
	for {
		piece, err := one(ctx, p, "LRANGE", key, strconv.Itoa(len(v.List)), strconv.Itoa(len(v.List)+pieceElements-1))
		if err != nil {
			return v, err
		}
		list, _ := piece.([]any)
		v.List = append(v.List, texts(list)...)
		if len(list) < pieceElements {
			return v, nil
		}
	}
}

// scanPieces calls each with the elements of a collection, which have a number of strings each. SSCAN and its
// relatives may give one twice: the first counts.
func scanPieces(ctx context.Context, p Peer, command, key string, width int, each func([]string) error) error {
	seen := map[string]bool{}
	for cursor := "0"; ; {
		reply, err := one(ctx, p, command, key, cursor, "COUNT", strconv.Itoa(pieceElements))
		if err != nil {
			return err
		}
		next, members, err := scanned(reply)
		if err != nil {
			return err
		}
		for ; len(members) >= width; members = members[width:] {
			if seen[members[0]] {
				continue
			}
			seen[members[0]] = true
			if err := each(members[:width]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "0" {
			return nil
		}
	}
}

func readHash(ctx context.Context, p Peer, key string) (rdb.Value, error) {
	v := rdb.Value{Kind: rdb.Hash}
	err := scanPieces(ctx, p, "HSCAN", key, 2, func(m []string) error {
		v.Hash = append(v.Hash, rdb.Field{Name: m[0], Value: m[1]})
		return nil
	})
	for i := 0; err == nil && i < len(v.Hash); i += pieceElements {
		fields := v.Hash[i:min(i+pieceElements, len(v.Hash))]
		cmd := []string{"HPEXPIRETIME", key, "FIELDS", strconv.Itoa(len(fields))}
		for _, f := range fields {
			cmd = append(cmd, f.Name)
		}
		times, refused := one(ctx, p, cmd...)
		list, _ := times.([]any)
		if refused != nil || len(list) != len(fields) {
			break // its fields do not expire: Redis has that since 7.4
		}
		for j := range fields {
			if at, ok := list[j].(int64); ok && at > 0 {
				fields[j].ExpireAt = at
			}
		}
	}
	return v, err
}

// flat reads an array of names and values in turn.
func flat(reply any) map[string]any {
	list, _ := reply.([]any)
	m := make(map[string]any, len(list)/2)
	for ; len(list) >= 2; list = list[2:] {
		name, _ := list[0].(string)
		m[name] = list[1]
	}
	return m
}

func number(v any) int64 { n, _ := v.(int64); return n }

func list(v any) []any { l, _ := v.([]any); return l }

func text(v any) string { s, _ := v.(string); return s }

// streamID reads an id, as of XINFO.
func streamID(v any) rdb.StreamID {
	var p lineParser
	return p.id(text(v))
}

// readStream reads a stream by XINFO STREAM FULL, whose answer has everything.
func readStream(ctx context.Context, p Peer, key string) (rdb.Value, error) {
	reply, err := one(ctx, p, "XINFO", "STREAM", key, "FULL", "COUNT", "0")
	if err != nil {
		return rdb.Value{}, err
	}
	info := flat(reply)
	s := &rdb.Stream{Last: streamID(info["last-generated-id"])}
	if removed, ok := info["max-deleted-entry-id"]; ok {
		s.Removed, s.Added = streamID(removed), number(info["entries-added"])
	} else {
		s.Old = true
	}
	for _, entry := range list(info["entries"]) {
		if two := list(entry); len(two) == 2 {
			s.Entries = append(s.Entries, rdb.StreamEntry{ID: streamID(two[0]), Pairs: texts(list(two[1]))})
		}
	}
	for _, group := range list(info["groups"]) {
		s.Groups = append(s.Groups, streamGroup(flat(group)))
	}
	return rdb.Value{Kind: rdb.StreamKind, Stream: s}, nil
}

func streamGroup(info map[string]any) rdb.StreamGroup {
	g := rdb.StreamGroup{Name: text(info["name"]), Last: streamID(info["last-delivered-id"]), Read: -1}
	if n, ok := info["entries-read"].(int64); ok {
		g.Read = n
	}
	for _, row := range list(info["pel"]) {
		if p := list(row); len(p) == 4 {
			g.Pending = append(g.Pending, rdb.StreamPending{ID: streamID(p[0]), Consumer: text(p[1]), At: number(p[2]), Count: number(p[3])})
		}
	}
	for _, row := range list(info["consumers"]) {
		c := flat(row)
		consumer := rdb.StreamConsumer{Name: text(c["name"]), Seen: number(c["seen-time"]), Active: number(c["seen-time"])}
		if at, ok := c["active-time"].(int64); ok {
			consumer.Active = at
		}
		g.Consumers = append(g.Consumers, consumer)
	}
	return g
}
