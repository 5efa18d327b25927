package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Region makes an engine one of a read region: Config.Store is then the primary region's
// store, far away, and Config.RecordTTL must not be 0. See the package comment.
type Region struct {
	// Replica is the region's copy of the primary region's items. Only replication writes to it.
	// The states of one item arrive in their order.
	Replica store.Store
	// Marks is a store of the region's own, which is not copied anywhere.
	Marks store.Store
}

const (
	// markLife is how long a mark counts. A replica that is further behind than that could show a
	// client an older state than it has seen before. DynamoDB's streams, which feed replicas, keep
	// changes for the same 24 hours.
	markLife = 24 * time.Hour
	// recordConfirmed bounds the age of the database's record that reads of the replica use,
	// counted from when the primary region was asked. It therefore also bounds how long a revoked
	// credential can go on reading there.
	recordConfirmed = time.Minute
	// arrivalPoll is how often a flush looks whether the replica has it.
	arrivalPoll = 50 * time.Millisecond
)

// errFlushInTransaction: a mark for every key there has been would be needed.
const errFlushInTransaction = Error("ERR FLUSHDB and FLUSHALL are not available in transactions and scripts sent to a read region")

// replicaReader reads from a read region's replica.
type replicaReader struct {
	replica, marks store.Store
}

// ReplicaDatabase returns a database's record for use with ReadReplica. It is not ok if the
// engine is not one of a read region, or has not asked the primary region lately, as Database does.
func (e *Engine) ReplicaDatabase(id string) (db *Database, ok bool) {
	if e.region == nil {
		return nil, false
	}
	return e.databases.Within(id, recordConfirmed)
}

// ReadReplica runs commands one after the other on the region's replica and appends a reply
// for each. It reports false, and has appended nothing, if any of them has to go to the primary region.
func (e *Engine) ReadReplica(ctx context.Context, db *Database, a Access, cmds [][]string, w *resp.Writer) bool {
	if e.region == nil || len(cmds) == 0 {
		return false
	}
	ctx, turn, own := e.begin(ctx, db)
	defer own.End()
	group := make([]bound, len(cmds))
	keys := make([]string, len(cmds))
	for i, args := range cmds {
		b, err := e.bind(a, args)
		if turn.Spend(ctx, b.work) != nil || err != nil || !nearby(b.cmd) {
			return false
		}
		if len(b.keys) != 1 {
			return false
		}
		group[i], keys[i] = b, b.keys[0]
	}
	loaded, ok := e.region.heads(ctx, db, e.now(), keys)
	if !ok {
		return false
	}
	start := w.Len()
	for i, b := range group {
		tx := e.keys.Begin(ctx, db, keyspace.Mode{Near: true})
		err := e.runIn(tx, []bound{b}, transactMode{}, keys[i:i+1], loaded, w)
		tx.LetGo()
		if err != nil {
			w.Truncate(start)
			return false
		}
	}
	return true
}

// nearby commands only read keys, and what they reply is in the keys' heads, mostly.
func nearby(cmd *command.Command) bool {
	const never = command.Write | command.Blocking | command.Walks | command.Session | command.Whole | command.Scripting | command.Publishes | command.Admin
	return cmd.Has(command.ReadOnly) && !cmd.Has(never) && cmd.Run != nil && cmd.Outside == nil
}

// heads reads the heads of keys from the replica. It is not ok if what the region
// knows of a key, or of the database, is newer than the replica.
func (r *replicaReader) heads(ctx context.Context, db *Database, now time.Time, keys []string) (keyspace.Heads, bool) {
	v := db.At(now.UnixMilli())
	ids := make([]store.Key, 1, 1+len(keys))
	ids[0] = keyspace.RecordKey(db.ID)
	marked := make([]store.Key, len(keys))
	for i, key := range keys {
		id := v.HeadKey(key)
		ids = append(ids, id)
		marked[i] = headMark(db.ID, id.Sort)
	}
	// The marks first: one that has gone was taken away because the replica had caught up before.
	marks, err := r.marks.GetMany(ctx, marked, false)
	if err != nil {
		return nil, false
	}
	awaited := make([]string, len(keys)) // versions; "": any
	for i := range keys {
		if m := readMark(marks[i], now); m.exists {
			if m.version == "" {
				return nil, false
			}
			awaited[i] = m.version
		}
	}
	items, err := r.replica.GetMany(ctx, ids, false)
	if err != nil || !sameRecord(db, items[0], now) {
		return nil, false
	}
	out := make(keyspace.Heads, len(keys))
	for i, key := range keys {
		head := items[1+i]
		if awaited[i] != "" && awaited[i] != keyspace.Version(head) {
			return nil, false // older, or newer: it cannot be told
		}
		out[key] = head
	}
	return out, true
}

// sameRecord reports whether a record says what d does, as far as reading keys goes. While
// somebody monitors the database, or is told of its keyspace events, the primary region has to see its commands; while a limit is reached, it refuses them.
func sameRecord(d *Database, record store.Attrs, now time.Time) bool {
	return record != nil && max(record.Get(keyspace.RecMonitor).Num(), d.Monitored) <= now.UnixMilli() &&
		record.Get(keyspace.RecEpoch).Num() == d.Epoch && record.Get(keyspace.RecSwitchAt).Num() == d.SwitchAt &&
		d.Events == 0 && !record.Has(keyspace.RecEvents) &&
		!d.Blocked.Holds(now) && !meter.DecodeBlock(record.Get(keyspace.RecBlock).Str()).Holds(now) &&
		record.Get(keyspace.RecCredGen).Num() == d.CredentialGeneration &&
		revoked.InRecord(record).Equal(d.Revoked.List())
}

// awaitEpoch waits until the replica has a flush.
func (r *replicaReader) awaitEpoch(ctx context.Context, id string, epoch int64) error {
	tick := time.NewTicker(arrivalPoll)
	defer tick.Stop()
	for {
		record, err := r.replica.Get(ctx, keyspace.RecordKey(id))
		if err == nil && record.Get(keyspace.RecEpoch).Num() >= epoch {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the replica: %w: %w", store.ErrUnknownOutcome, ctx.Err())
		case <-tick.C:
		}
	}
}

// Attributes of a mark.
const (
	markNonce   = "n" // a write id: when it was made
	markVersion = "v" // of the head; empty: there was none
)

// headMark is where the mark of a head is, whatever the database's epoch.
func headMark(db, headSort string) store.Key {
	return store.Key{Partition: "b" + db + "\x00" + headSort, Sort: "b"}
}

// mark says that the region knows of a state of a head which the replica may not have yet.
type mark struct {
	exists  bool
	nonce   store.Value
	made    int64  // Unix ms
	known   bool   // the state is known
	version string // if known; "": there was no such head
}

func readMark(as store.Attrs, now time.Time) mark {
	nonce := as.Get(markNonce)
	m := mark{nonce: nonce, made: keyspace.WriteID(nonce.Str()).Millis(), known: as.Has(markVersion), version: as.Get(markVersion).Str()}
	m.exists = !nonce.IsZero() && m.made > now.Add(-markLife).UnixMilli()
	return m
}

// newMark makes a mark; of a known state if one is given.
func newMark(now time.Time, known ...string) store.Attrs {
	as := store.Attrs{{Name: markNonce, Value: store.Bytes(string(keyspace.NewWriteID(now.UnixMilli())))}}
	for _, v := range known {
		as = append(as, store.Attr{Name: markVersion, Value: store.Bytes(v)})
	}
	return append(as, store.Attr{Name: store.TTLAttr, Value: store.Int(now.Add(markLife).Unix() + 1)})
}

// headID is what a head's partition says.
type headID struct {
	db    string
	epoch int64
}

// parseHead is not ok if the item is no head.
func parseHead(key store.Key) (id headID, ok bool) {
	if key.Partition == "" || key.Partition[0] != 'k' {
		return id, false
	}
	db, rest, found := strings.Cut(key.Partition[1:], "\x00")
	if !found || len(rest) != 10 {
		return id, false
	}
	return headID{db, int64(binary.BigEndian.Uint64([]byte(rest)))}, true
}
