package redis

import (
	"math/bits"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Attributes of a database's record.
const (
	recName     = "name"
	recSlots    = "slots"
	recCreated  = "created"  // Unix ms
	recEpoch    = "epoch"    // number of FLUSHDBs
	recSwitchAt = "switchat" // Unix ms at which recEpoch came or comes into force
	recCredGen  = "credgen"
	recScripts  = "scripts" // number of SCRIPT FLUSHs, and when the last one came or comes into force
	recLibs     = "libs"    // number of changes of the function libraries, and when ...
	recAccount  = "account" // who owns it
	recAt       = "at"      // suffix
	recBlock    = "block"   // meter.Block

	// recMonitor says until when (Unix ms) commands are to be written to the monitor's log. Without it,
	// monitoring costs nothing.
	recMonitor = "monitor"
)

// Database is a database's record as it was read last. It is not changed after that.
type Database struct {
	ID        string
	Name      string
	Account   string // whose it is; "": not known
	Slots     int    // partitions that hold the keys; a power of two
	CreatedAt time.Time

	CredentialGeneration int64        // credentials of other generations are not valid any more
	Revoked              *revoked.Set // credentials revoked one by one

	Blocked meter.Block // a limit of its usage has been reached: who serves the database refuses commands

	monitored int64 // Unix ms: until then commands are logged for MONITOR

	epoch    int64
	switchAt int64 // Unix ms: before it, epoch-1 is in force
	scripts  generation
	libs     generation
	current  view // for epoch
	previous view // for epoch-1
}

// decodeDatabase is the database that a record describes. withdrawn are its credentials that are not valid any more.
func decodeDatabase(id string, attrs store.Attrs, withdrawn *revoked.Set) *Database {
	slots := int(attrs.Get(recSlots).Num())
	epoch := attrs.Get(recEpoch).Num()
	return &Database{
		ID:                   id,
		Name:                 attrs.Get(recName).Str(),
		Account:              attrs.Get(recAccount).Str(),
		Slots:                slots,
		CreatedAt:            time.UnixMilli(attrs.Get(recCreated).Num()),
		CredentialGeneration: attrs.Get(recCredGen).Num(),
		Revoked:              withdrawn,
		Blocked:              meter.DecodeBlock(attrs.Get(recBlock).Str()),
		monitored:            attrs.Get(recMonitor).Num(),
		epoch:                epoch,
		switchAt:             attrs.Get(recSwitchAt).Num(),
		scripts:              readGeneration(attrs, recScripts),
		libs:                 readGeneration(attrs, recLibs),
		current:              newView(id, slots, epoch),
		previous:             newView(id, slots, epoch-1),
	}
}

// view is a database's keyspace as one command sees it.
type view struct {
	db         string
	slotBits   int
	partitions []string // of each slot
}

func (v view) slotOf(hash uint64) int {
	if v.slotBits == 0 {
		return 0
	}
	return int(hash >> (64 - v.slotBits))
}

func newView(id string, slots int, epoch int64) view {
	v := view{db: id, slotBits: bits.Len(uint(slots)) - 1}
	for i := range slots {
		v.partitions = append(v.partitions, slotPartition(id, epoch, i))
	}
	return v
}

// headKey is where a user's key is stored. A slot is the top bits of the hash,
// so that slot after slot the keys are in order of their hashes.
func (v view) headKey(key string) store.Key {
	h := hashOf(key)
	slot := v.slotOf(h)
	return store.Key{Partition: v.partitions[slot], Sort: putUint64(h) + sortName(key)}
}

// at is the keyspace in force at a time.
func (d *Database) at(nowMs int64) view {
	if nowMs < d.switchAt {
		return d.previous
	}
	return d.current
}

func recordKey(id string) store.Key { return store.Key{Partition: "d" + id, Sort: "d"} }

// generation counts how often the scripts or libraries of a database were replaced.
type generation struct {
	n  int64
	at int64 // Unix ms: before it, n-1 is in force
}

func readGeneration(record store.Attrs, attr string) generation {
	return generation{n: record.Get(attr).Num(), at: record.Get(attr + recAt).Num()}
}

// in is the generation in force at a time.
func (g generation) in(nowMs int64) int64 {
	if nowMs < g.at {
		return g.n - 1
	}
	return g.n
}
