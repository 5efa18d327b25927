package qstash

import (
	"encoding/binary"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// part joins the parts of a partition key. Accounts hold no NUL; what may is last.
func part(parts ...string) string { return strings.Join(parts, "\x00") }

func shardName(n byte) string { return string([]byte{'0' + n}) }

func accountKey(acct string) store.Key { return store.Key{Partition: "a", Sort: acct} }

func revokedKey(acct, page string) store.Key {
	return store.Key{Partition: part("k", acct), Sort: page}
}

func messagePartition(acct string, shard byte) string { return part("m", acct, shardName(shard)) }

func messageKey(acct, id string) store.Key {
	return store.Key{Partition: messagePartition(acct, shardOf(id)), Sort: id}
}

// chunkKey addresses a piece of the body of what id names.
func chunkKey(acct, id string, n int) store.Key {
	return store.Key{Partition: part("b", acct, id), Sort: string(binary.BigEndian.AppendUint32(nil, uint32(n)))}
}

func dueKey(acct string, shard byte, place string) store.Key {
	return store.Key{Partition: duePartition(acct, shard), Sort: place}
}

func duePartition(acct string, shard byte) string { return part("d", acct, shardName(shard)) }

func dedupKey(acct, hash string) store.Key {
	return store.Key{Partition: part("u", acct, hash), Sort: "-"}
}

func queueKey(acct, name string) store.Key { return store.Key{Partition: part("q", acct), Sort: name} }

func entryPartition(acct, name, generation string) string { return part("e", acct, name, generation) }

func entryKey(acct, name, generation string, place int64) store.Key {
	return store.Key{Partition: entryPartition(acct, name, generation), Sort: string(binary.BigEndian.AppendUint64(nil, uint64(place)))}
}

func flowKey(acct, key string) store.Key { return store.Key{Partition: part("f", acct), Sort: key} }

func waitPartition(acct, key string) string { return part("w", acct, key) }

// ticketPartition is where those who have met at a flow control key take tickets.
func ticketPartition(acct, key string) string { return part("T", acct, key) }

func groupKey(acct, name string) store.Key { return store.Key{Partition: part("g", acct), Sort: name} }

func scheduleKey(acct, id string) store.Key { return store.Key{Partition: part("s", acct), Sort: id} }

func dlqKey(acct, id string) store.Key { return store.Key{Partition: part("l", acct), Sort: id} }

// What a due entry is about.
const (
	dueMessage  = 'm'
	dueFlow     = 'f'
	dueSchedule = 's'
	dueQueue    = 'q' // of wake-up keys only: queues are found by themselves
	dueWaiter   = 'v'
	dueDeadline = 'k' // of a workflow run
	dueDeleted  = 'd' // a queue that was deleted: its name and generation, see Engine.dropLate
	dueHeld     = 'h' // of wake-up keys only: a message that time alone does not make due
	dueRepeat   = 'r' // of wake-up keys only: a schedule that the waker repeats by itself
)

// dueRun names the workflow run that a due entry of a message or a waiter belongs to, so that the
// sweep knows the run if what the entry is about does not exist.
const dueRun = "r"

// parked is the time of messages that wait for something else than time.
var parked = time.UnixMilli(math.MaxInt64)

// dueSort is the sort key of a due entry.
func dueSort(at time.Time, kind byte, id string) string {
	buf := make([]byte, 0, 9+len(id))
	buf = append(buf, timeKey(at)...)
	buf = append(buf, kind)
	return string(append(buf, id...))
}

// parseDue takes such a sort key apart.
func parseDue(s string) (at time.Time, kind byte, id string, ok bool) {
	if len(s) < 9 {
		return time.Time{}, 0, "", false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64([]byte(s[:8])))), s[8], s[9:], true
}

// timeKey orders times, none before 1970.
func timeKey(at time.Time) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(max(0, at.UnixMilli()))))
}

// parseTimeKey reads the time that a key begins with, in ms.
func parseTimeKey(key string) (ms int64, ok bool) {
	if len(key) < 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64([]byte(key[:8]))), true
}

// hintKey is the key of a wake-up, and hintParts reads it. It is plain text.
func hintKey(kind byte, acct, id string) string {
	return string([]byte{kind, '/'}) + acct + "/" + url.PathEscape(id)
}

func hintParts(key string) (kind byte, acct, id string, ok bool) {
	if len(key) < 2 || key[1] != '/' {
		return 0, "", "", false
	}
	acct, id, ok = strings.Cut(key[2:], "/")
	id, err := url.PathUnescape(id)
	return key[0], acct, id, ok && err == nil && acct != "" && id != ""
}
