package keyspace

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/turns"
)

// Txn is a transaction: it loads the keys that commands ask for, buffers what
// they write and commits all of it at once, if no key has changed meanwhile.
//
// Methods that read from the store do not return its errors; the first one
// sticks, further reads find nothing, and the transaction fails as a whole (as
// with bufio.Scanner). So a command's logic can ignore them, but must end on empty input.
type Txn struct {
	ctx   context.Context
	space *Keyspace
	db    *Database
	view  View
	now   int64   // Unix ms, the same for all commands of the transaction
	clock int64   // the same in microseconds
	id    WriteID // "": nothing has needed one, see writeID
	mode  Mode

	err    error
	budget *Allowance
	own    Allowance // of a command or transaction that is no member of a pipeline
	held   int64     // bytes, see hold
	tail   []byte    // the string that was appended to last, with room behind it, see AppendString

	recent  []*entry  // those that commands have asked for since the last dropEmpty
	few     [2]*entry // the first of them, to spare an allocation
	changed int       // entries that commands before have changed

	entries map[string]*entry
	one     entry // the first entry, to spare an allocation
	used    int

	headReads int  // rounds of head reads
	elemReads int  // calls that read elements
	ranged    bool // some call read several elements, hence not as of one moment
	relaxed   bool // a cursor command: no consistency across its reads is promised
	dropped   []abandoned

	told   Events  // the classes of events that somebody is told of; 0: mostly
	events []Event // that are told of after the commit

	Outbox   Outbox      // what is to be sent; nil: nothing
	sentItem store.Attrs // what a commit that did nothing but send has left

	lost string // the key whose head would carry the trace of this one, if its answer was lost
}

// entry is a key in a transaction.
type entry struct {
	key   string
	id    store.Key
	seen  store.Attrs // the head as it was read
	obj   *object     // the key as the commands left it; nil: there is none
	dirty bool        // the head must be written
	idle  bool        // read ahead, but no command has asked for it

	recent  bool // it is in Txn.recent
	changed bool // it counts in Txn.changed
	existed bool // when the command that runs began to use it
	touched bool // by the command that runs
}

// abandoned is a generation that the commit makes unreachable.
type abandoned struct{ gen string }

// Mode says how a transaction is run.
type Mode struct {
	Write     bool       // it may write
	Whole     bool       // several commands: too large a commit cannot be taken in steps
	Divisible bool       // of too many keys, some may be committed before others
	Hints     bool       // the keys of some commands are only read ahead
	Near      bool       // over the replica of a read region: there is nothing but the keys that are loaded
	Doubts    []Doubt    // earlier attempts whose answers were lost
	Budget    *Allowance // that it shares with others; nil: it has one of its own
}

// Begin makes a transaction.
func (s *Keyspace) Begin(ctx context.Context, db *Database, mode Mode) *Txn {
	clock := s.now().UnixMicro()
	now := clock / 1000
	tx := &Txn{ctx: ctx, space: s, db: db, view: db.At(now), now: now, clock: clock, mode: mode, budget: mode.Budget, told: db.Events.told()}
	if tx.budget == nil {
		tx.own = NewAllowance(s.budget, turns.Of(ctx))
		tx.budget = &tx.own
	}
	return tx
}

// writeID tells the transaction's writes from those of others.
func (tx *Txn) writeID() WriteID {
	if tx.id == "" {
		tx.id = NewWriteID(tx.now)
	}
	return tx.id
}

// Now is the time of the transaction, in Unix milliseconds.
func (tx *Txn) Now() int64 { return tx.now }

// Micros is the time of the transaction, in Unix microseconds.
func (tx *Txn) Micros() int64 { return tx.clock }

// Context is the context of the transaction's reads and writes.
func (tx *Txn) Context() context.Context { return tx.ctx }

// Database is the database whose keys these are.
func (tx *Txn) Database() *Database { return tx.db }

// Err is why the transaction has failed, nil if it has not.
func (tx *Txn) Err() error { return tx.err }

// Fail makes the transaction fail with err, unless it has failed already.
func (tx *Txn) Fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

// Start loads the heads of the keys that commands name, in one round; loaded are some that are known.
func (tx *Txn) Start(keys []string, loaded Heads) error {
	if tx.mode.Hints {
		defer func() {
			for ent := range tx.all() {
				_, known := loaded[ent.key]
				ent.idle = !known
			}
		}()
	}
	if len(keys) == 0 {
		return nil
	}
	if len(keys) == 1 {
		as, ok := loaded[keys[0]]
		if !ok {
			var err error
			if as, err = tx.space.store.Get(tx.ctx, tx.view.HeadKey(keys[0])); err != nil {
				return fmt.Errorf("reading a key: %w", err)
			}
		}
		tx.headReads++
		tx.add(keys[0], as)
		return nil
	}
	tx.load(keys, loaded)
	return tx.err
}

// Prefetch loads keys that a command is about to need, in one round.
func (tx *Txn) Prefetch(keys []string) { tx.load(keys, nil) }

func (tx *Txn) load(keys []string, loaded Heads) {
	var missing []string
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if seen[k] || tx.known(k) != nil {
			continue
		}
		seen[k] = true
		if as, ok := loaded[k]; ok {
			tx.add(k, as)
			continue
		}
		missing = append(missing, k)
	}
	if len(seen) > 0 {
		tx.headReads++
	}
	if len(missing) == 0 || tx.err != nil {
		return
	}
	if tx.mode.Near {
		tx.Fail(errElsewhere)
		return
	}
	if len(missing) > store.MaxSnapshotItems {
		tx.headReads++ // too many for a snapshot: not of one moment, to be validated
	}
	if tx.Hold(int64(len(missing)) * keyMemory); tx.err != nil {
		return
	}
	tx.Hold(-int64(len(missing)) * keyMemory) // add counts them again
	for n := firstLoad; len(missing) > 0 && tx.err == nil; {
		n = min(n, len(missing))
		got, err := tx.space.Load(tx.ctx, tx.view, missing[:n], !tx.mode.Write)
		if err != nil {
			tx.Fail(err)
			return
		}
		before := tx.held
		for _, k := range missing[:n] {
			tx.add(k, got[k])
		}
		missing = missing[n:]
		n = max(firstLoad, int(loadBytes/((tx.held-before)/int64(n)+1)))
	}
}

// Heads are read some at a time, so that no more of them are read than a transaction may hold.
const (
	firstLoad = 256      // keys
	loadBytes = 16 << 20 // of further rounds, about
)

func (tx *Txn) known(key string) *entry {
	if tx.used > 0 && tx.one.key == key {
		return &tx.one
	}
	return tx.entries[key]
}

func (tx *Txn) add(key string, as store.Attrs) *entry {
	var ent *entry
	if tx.used == 0 {
		ent = &tx.one
	} else {
		ent = &entry{}
		if tx.entries == nil {
			tx.entries = map[string]*entry{}
		}
		tx.entries[key] = ent
	}
	tx.used++
	*ent = entry{key: key, id: tx.view.HeadKey(key), seen: as}
	ent.obj = tx.decodeHead(ent, as)
	size := int64(len(key) + as.Size())
	tx.spend(KeyWork + size)
	tx.Hold(keyMemory + size)
	return ent
}

// use notes that a command works on an entry.
func (tx *Txn) use(ent *entry) *entry {
	ent.idle = false
	if !ent.recent {
		tx.beginUse(ent)
		ent.recent = true
		if tx.recent == nil {
			tx.recent = tx.few[:0]
		}
		tx.recent = append(tx.recent, ent)
	}
	return ent
}

// entry is the key's entry, loaded if need be.
func (tx *Txn) entry(key string) *entry {
	if ent := tx.known(key); ent != nil {
		tx.spend(ElementWork)
		return tx.use(ent)
	}
	if tx.mode.Near {
		tx.Fail(errElsewhere)
	}
	if tx.err != nil {
		return tx.use(tx.add(key, nil))
	}
	as, err := tx.space.store.Get(tx.ctx, tx.view.HeadKey(key))
	if err != nil {
		tx.Fail(fmt.Errorf("reading a key: %w", err))
	}
	tx.headReads++
	return tx.use(tx.add(key, as))
}

// Whole makes too large a commit fail that could be taken in steps otherwise: a script has run.
func (tx *Txn) Whole() { tx.mode.Whole = true }

// all iterates over the entries.
func (tx *Txn) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		if tx.used > 0 && !yield(&tx.one) {
			return
		}
		for _, ent := range tx.entries {
			if !yield(ent) {
				return
			}
		}
	}
}

// Heads are the keys that commands have asked for, as they were read.
func (tx *Txn) Heads() ([]string, Heads) {
	var keys []string
	seen := Heads{}
	for ent := range tx.all() {
		if !ent.idle {
			keys = append(keys, ent.key)
			seen[ent.key] = ent.seen
		}
	}
	return keys, seen
}

// Rollback forgets what was written. What was read stays read.
func (tx *Txn) Rollback() {
	for ent := range tx.all() {
		ent.obj, ent.dirty, ent.changed = tx.decodeHead(ent, ent.seen), false, false
	}
	tx.dropped, tx.events, tx.Outbox, tx.changed = nil, nil, nil, 0
}

// EndCommand follows each command. An Error says that the transaction has become too large to be committed.
func (tx *Txn) EndCommand() error {
	tx.dropEmpty()
	if tx.changed > store.MaxCommitOps && tx.mode.Whole {
		return ErrTransactionSize(tx.changed)
	}
	return nil
}

// dropEmpty removes the keys of collections that the command left empty.
func (tx *Txn) dropEmpty() {
	for _, ent := range tx.recent {
		ent.recent = false
		if ent.obj != nil && ent.obj.value.empty() {
			tx.abandon(ent.obj)
			ent.obj = nil
			if ent.existed {
				tx.Notify(GenericEvents, "del", ent.key)
			}
		}
		if ent.dirty && !ent.changed && (ent.obj != nil || ent.seen != nil) {
			ent.changed = true
			tx.changed++
		}
	}
	tx.recent = tx.recent[:0]
}

// typed is the key's object if it has the type, nil if there is no such key, or ErrWrongType.
func (tx *Txn) typed(key, typ string) (*object, error) {
	o := tx.entry(key).obj
	if o != nil && o.typ != typ {
		return nil, ErrWrongType
	}
	return o, nil
}

// Exists reports whether there is such a key.
func (tx *Txn) Exists(key string) bool { return tx.entry(key).obj != nil }

// Version is the id of the key's last write, "" if there is no such key.
func (tx *Txn) Version(key string) string {
	ent := tx.entry(key)
	if ent.obj == nil {
		return ""
	}
	return Version(ent.seen)
}

// Type is the key's type as TYPE replies it, "none" if there is no such key.
func (tx *Txn) Type(key string) string {
	if o := tx.entry(key).obj; o != nil {
		return typeName(o.typ)
	}
	return "none"
}

// Expiry is when the key expires (Unix ms), 0 if never or if there is no such key.
func (tx *Txn) Expiry(key string) int64 {
	if o := tx.entry(key).obj; o != nil {
		return o.expires
	}
	return 0
}

// SetExpiry makes an existing key expire at a time (Unix ms), 0: never. A time
// that has passed deletes the key.
func (tx *Txn) SetExpiry(key string, at int64) {
	ent := tx.entry(key)
	if ent.obj == nil || ent.obj.expires == at {
		return
	}
	if at != 0 && at <= tx.now {
		tx.Delete(key)
		return
	}
	ent.obj.expires = at
	ent.change()
}

// Delete removes the key and reports whether there was one.
func (tx *Txn) Delete(key string) bool {
	ent := tx.entry(key)
	if ent.obj == nil {
		return false
	}
	tx.replace(ent, nil)
	tx.Notify(GenericEvents, "del", key)
	return true
}

// replace gives a key another object, or none.
func (tx *Txn) replace(ent *entry, o *object) {
	if ent.obj == nil && o == nil {
		return
	}
	tx.abandon(ent.obj)
	if ent.obj != nil {
		if s := ent.obj.str(); s != nil && s.loaded {
			tx.Hold(-s.length)
		}
	}
	ent.obj = o
	ent.change()
}

// abandon gives up an object's generation.
func (tx *Txn) abandon(o *object) {
	if o != nil && o.gen != "" && !o.fresh {
		tx.dropped = append(tx.dropped, abandoned{o.gen})
	}
}

// Move gives the value and expiry of key from to key to, which is overwritten;
// from must exist. The elements of a spread value stay where they are.
func (tx *Txn) Move(from, to string) {
	src, dst := tx.entry(from), tx.entry(to)
	if src == dst {
		return
	}
	o := src.obj
	o.value.materialise()
	o.moved = true
	src.obj = nil
	src.change()
	tx.replace(dst, o)
	o.value.belongTo(dst)
}

// Version is the id of the head's last write, "" if there is no head.
func Version(as store.Attrs) string {
	if w := as.Get(AttrWrite); !w.IsZero() {
		return w.Str()
	}
	return as.Get(attrBirth).Str()
}

// errElsewhere ends a transaction over the replica that needs what only the primary region has.
var errElsewhere = errors.New("redis: to be read in the primary region")

// Passing reports whether a failure of the store may be over when it is asked again.
func Passing(err error) bool {
	return errors.Is(err, store.ErrThrottled) || errors.Is(err, store.ErrUnavailable)
}
