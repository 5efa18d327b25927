package keyspace

import (
	"math/bits"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Attributes of a database's record.
const (
	RecName     = "name"
	RecSlots    = "slots"
	RecCreated  = "created"  // Unix ms
	RecEpoch    = "epoch"    // number of FLUSHDBs
	RecSwitchAt = "switchat" // Unix ms at which RecEpoch came or comes into force
	RecCredGen  = "credgen"
	RecScripts  = "scripts" // number of SCRIPT FLUSHs, and when the last one came or comes into force
	RecLibs     = "libs"    // number of changes of the function libraries, and when ...
	RecAccount  = "account" // who owns it
	RecAt       = "at"      // suffix
	RecBlock    = "block"   // meter.Block

	// RecMonitor says until when (Unix ms) commands are to be written to the monitor's log. Without it,
	// monitoring costs nothing.
	RecMonitor = "monitor"

	// RecEvents is which keyspace events are told of: Events, as a number. Without it, there are none, and they cost nothing.
	RecEvents = "events"

	// RecWaited is for which keys commands wait with engines that look seldom: see Waited.
	RecWaited = "waited"
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

	Monitored int64 // Unix ms: until then commands are logged for MONITOR

	Events Events // that are told of: the parameter notify-keyspace-events
	Waited Waited // whose writes are counted

	Epoch    int64
	SwitchAt int64 // Unix ms: before it, epoch-1 is in force
	Scripts  Generation
	Libs     Generation
	current  View // for epoch
	previous View // for epoch-1
}

// DecodeDatabase is the database that a record describes. withdrawn are its credentials that are not valid any more.
func DecodeDatabase(id string, attrs store.Attrs, withdrawn *revoked.Set) *Database {
	slots := int(attrs.Get(RecSlots).Num())
	epoch := attrs.Get(RecEpoch).Num()
	return &Database{
		ID:                   id,
		Name:                 attrs.Get(RecName).Str(),
		Account:              attrs.Get(RecAccount).Str(),
		Slots:                slots,
		CreatedAt:            time.UnixMilli(attrs.Get(RecCreated).Num()),
		CredentialGeneration: attrs.Get(RecCredGen).Num(),
		Revoked:              withdrawn,
		Blocked:              meter.DecodeBlock(attrs.Get(RecBlock).Str()),
		Monitored:            attrs.Get(RecMonitor).Num(),
		Events:               Events(attrs.Get(RecEvents).Num()),
		Waited:               decodeWaited(attrs.Get(RecWaited)),
		Epoch:                epoch,
		SwitchAt:             attrs.Get(RecSwitchAt).Num(),
		Scripts:              ReadGeneration(attrs, RecScripts),
		Libs:                 ReadGeneration(attrs, RecLibs),
		current:              newView(id, slots, epoch),
		previous:             newView(id, slots, epoch-1),
	}
}

// View is a database's keyspace as one command sees it.
type View struct {
	db         string
	slotBits   int
	Partitions []string // of each slot
}

func (v View) slotOf(hash uint64) int {
	if v.slotBits == 0 {
		return 0
	}
	return int(hash >> (64 - v.slotBits))
}

func newView(id string, slots int, epoch int64) View {
	v := View{db: id, slotBits: bits.Len(uint(slots)) - 1}
	for i := range slots {
		v.Partitions = append(v.Partitions, slotPartition(id, epoch, i))
	}
	return v
}

// HeadKey is where a user's key is stored. A slot is the top bits of the hash,
// so that slot after slot the keys are in order of their hashes.
func (v View) HeadKey(key string) store.Key {
	h := HashOf(key)
	slot := v.slotOf(h)
	return store.Key{Partition: v.Partitions[slot], Sort: PutUint64(h) + SortName(key)}
}

// At is the keyspace in force at a time.
func (d *Database) At(nowMs int64) View {
	if nowMs < d.SwitchAt {
		return d.previous
	}
	return d.current
}

// RecordKey is where the record of a database is.
func RecordKey(id string) store.Key { return store.Key{Partition: "d" + id, Sort: "d"} }

// Generation counts how often the scripts or libraries of a database were replaced.
type Generation struct {
	N  int64
	At int64 // Unix ms: before it, n-1 is in force
}

// ReadGeneration reads the generation that an attribute of a record counts.
func ReadGeneration(record store.Attrs, attr string) Generation {
	return Generation{N: record.Get(attr).Num(), At: record.Get(attr + RecAt).Num()}
}

// In is the generation in force at a time.
func (g Generation) In(nowMs int64) int64 {
	if nowMs < g.At {
		return g.N - 1
	}
	return g.N
}
