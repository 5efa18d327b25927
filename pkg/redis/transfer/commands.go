package transfer

import (
	"iter"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// byType gives commands that write a value, in pieces.
func byType(key string, v rdb.Value) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		switch v.Kind {
		case rdb.String:
			stringCommands(key, v.String, yield)
		case rdb.List:
			pieces([]string{"RPUSH", key}, len(v.List), func(i int) []string { return v.List[i : i+1] }, yield)
		case rdb.Set:
			pieces([]string{"SADD", key}, len(v.Set), func(i int) []string { return v.Set[i : i+1] }, yield)
		case rdb.ZSet:
			pieces([]string{"ZADD", key}, len(v.ZSet), func(i int) []string {
				return []string{strconv.FormatFloat(v.ZSet[i].Score, 'g', -1, 64), v.ZSet[i].Name}
			}, yield)
		case rdb.Hash:
			hashCommands(key, v.Hash, yield)
		case rdb.JSON:
			yield([]string{"JSON.SET", key, "$", v.JSON})
		case rdb.StreamKind:
			streamCommands(key, v.Stream, yield)
		}
	}
}

// pieces gives commands that begin with head, each with as many elements as fit.
func pieces(head []string, n int, element func(int) []string, yield func([]string) bool) bool {
	cmd, size := head[:len(head):len(head)], 0
	for i := range n {
		for _, s := range element(i) {
			cmd = append(cmd, s)
			size += len(s) + 8
		}
		if i == n-1 || size >= pieceBytes || len(cmd) >= pieceElements {
			if !yield(cmd) {
				return false
			}
			cmd, size = head[:len(head):len(head)], 0
		}
	}
	return true
}

func stringCommands(key, s string, yield func([]string) bool) {
	head := []string{"SET", key}
	for {
		n := min(len(s), pieceBytes)
		if !yield(append(head, s[:n])) {
			return
		}
		if s = s[n:]; s == "" {
			return
		}
		head = []string{"APPEND", key}
	}
}

func hashCommands(key string, fields []rdb.Field, yield func([]string) bool) {
	ok := pieces([]string{"HSET", key}, len(fields), func(i int) []string { return []string{fields[i].Name, fields[i].Value} }, yield)
	for _, f := range fields {
		if ok && f.ExpireAt > 0 {
			ok = yield([]string{"HPEXPIREAT", key, strconv.FormatInt(f.ExpireAt, 10), "FIELDS", "1", f.Name})
		}
	}
}

func idText(id rdb.StreamID) string {
	return strconv.FormatUint(id.Ms, 10) + "-" + strconv.FormatUint(id.Seq, 10)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// streamCommands write entries, what is known of the stream, groups, consumers, and what is pending. What is pending
// and has been deleted cannot be written, nor when consumers were last seen.
func streamCommands(key string, s *rdb.Stream, yield func([]string) bool) {
	for _, e := range s.Entries {
		if !yield(append([]string{"XADD", key, idText(e.ID)}, e.Pairs...)) {
			return
		}
	}
	if len(s.Entries) == 0 && !yield([]string{"XADD", key, "MAXLEN", "0", "0-1", "f", "v"}) {
		return
	}
	set := []string{"XSETID", key, idText(s.Last)}
	if !s.Old {
		set = append(set, "ENTRIESADDED", decimal(s.Added), "MAXDELETEDID", idText(s.Removed))
	}
	if !yield(set) {
		return
	}
	for _, g := range s.Groups {
		create := []string{"XGROUP", "CREATE", key, g.Name, idText(g.Last)}
		if g.Read >= 0 {
			create = append(create, "ENTRIESREAD", decimal(g.Read))
		}
		if !yield(create) {
			return
		}
		for _, c := range g.Consumers {
			if !yield([]string{"XGROUP", "CREATECONSUMER", key, g.Name, c.Name}) {
				return
			}
		}
		for _, p := range g.Pending {
			if !yield([]string{"XCLAIM", key, g.Name, p.Consumer, "0", idText(p.ID), "TIME", decimal(p.At), "RETRYCOUNT", decimal(p.Count), "FORCE", "JUSTID"}) {
				return
			}
		}
	}
}
