package keyspace

import "strings"

// Events is a set of classes of keyspace events, and of the channels that tell of them: the value of the parameter
// notify-keyspace-events (https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/).
type Events uint16

const (
	GenericEvents Events = 1 << iota // g: DEL, EXPIRE, RENAME ...
	StringEvents                     // $
	ListEvents                       // l
	SetEvents                        // s
	HashEvents                       // h
	ZSetEvents                       // z
	ExpiredEvents                    // x: a key has expired
	EvictedEvents                    // e: accepted; no key is ever evicted
	StreamEvents                     // t
	JSONEvents                       // d: in Redis, those of modules
	NewEvents                        // n: there is a key that there was not; A does not include it
	OnKeyspace                       // K: __keyspace@0__:<key> tells the events of a key
	OnKeyevent                       // E: __keyevent@0__:<event> tells the keys of an event
	MissedEvents                     // m: a key that there is not was read; A does not include it

	allEvents = NewEvents - 1 // A
)

// eventLetters are the letters of the classes, from GenericEvents on.
const eventLetters = "g$lshzxetdnKEm"

// ParseEvents reads letters as CONFIG SET takes them. It reports false if one of them is none of the known ones.
func ParseEvents(letters string) (events Events, ok bool) {
	for _, l := range []byte(letters) {
		i := strings.IndexByte(eventLetters, l)
		switch {
		case l == 'A':
			events |= allEvents
		case i >= 0:
			events |= 1 << i
		default:
			return 0, false
		}
	}
	return events, true
}

// String is how CONFIG GET shows the set: A for all classes of A, and then, as in Redis, without n.
func (e Events) String() string {
	var b strings.Builder
	if e&allEvents == allEvents {
		b.WriteByte('A')
		e &^= allEvents | NewEvents
	}
	for i := range len(eventLetters) {
		if e&(1<<i) != 0 {
			b.WriteByte(eventLetters[i])
		}
	}
	return b.String()
}

// told are the classes that some channel tells of: without K or E, none.
func (e Events) told() Events {
	if e&(OnKeyspace|OnKeyevent) == 0 {
		return 0
	}
	return e &^ (OnKeyspace | OnKeyevent)
}

// Event is something that has happened to a key.
type Event struct{ Name, Key string }

// Notify notes an event of a key, which is told of when the transaction has committed. If the command has made the
// key, the event "new" comes first.
func (tx *Txn) Notify(class Events, name, key string) {
	if tx.told == 0 {
		return
	}
	if ent := tx.known(key); ent != nil && ent.recent && ent.obj != nil && !ent.existed {
		ent.existed = true
		tx.note(NewEvents, "new", key)
	}
	tx.note(class, name, key)
}

// NotifyChanged notes an event of each key that the command has changed, and not deleted.
func (tx *Txn) NotifyChanged(class Events, name string) {
	if tx.told == 0 {
		return
	}
	for _, ent := range tx.recent {
		if ent.touched && ent.obj != nil {
			tx.Notify(class, name, ent.key)
		}
	}
}

// NotifyNew notes that the command has made the key anew, whether or not there was one.
func (tx *Txn) NotifyNew(key string) {
	if ent := tx.known(key); ent != nil {
		ent.existed = true
	}
	tx.note(NewEvents, "new", key)
}

// NotifyMissed notes those of the keys that there are not, which the command has read.
func (tx *Txn) NotifyMissed(keys ...string) {
	if tx.told&MissedEvents == 0 {
		return
	}
	for _, key := range keys {
		if !tx.Exists(key) {
			tx.note(MissedEvents, "keymiss", key)
		}
	}
}

// NotifyAllMissed is NotifyMissed of all keys that the command has asked for.
func (tx *Txn) NotifyAllMissed() {
	if tx.told&MissedEvents == 0 {
		return
	}
	for _, ent := range tx.recent {
		if ent.obj == nil && !ent.touched {
			tx.note(MissedEvents, "keymiss", ent.key)
		}
	}
}

func (tx *Txn) note(class Events, name, key string) {
	if tx.told&class != 0 {
		tx.events = append(tx.events, Event{name, key})
		tx.Hold(eventMemory + int64(len(key)))
	}
}

// eventMemory is what an event takes in memory besides the key, in bytes.
const eventMemory = 64

// change notes that a command changes the key, whose head must be written.
func (ent *entry) change() { ent.dirty, ent.touched = true, true }

// beginUse notes how a command finds the key. If the key has expired and somebody wants to know, the commit deletes what is
// left of it, also if the command only reads: who commits first tells of it, so it is told once.
func (tx *Txn) beginUse(ent *entry) {
	ent.existed, ent.touched = ent.obj != nil, false
	if tx.told&ExpiredEvents != 0 && !ent.dirty && ent.seen != nil && expired(ent.seen, tx.now) {
		ent.dirty = true
		tx.note(ExpiredEvents, "expired", ent.key)
	}
}
