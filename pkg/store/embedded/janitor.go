package embedded

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/skystash/skystash/pkg/store"
)

// janitorBatch is the number of index entries that a search holds an iterator for.
const janitorBatch = 1000

// janitor deletes items whose time (store.TTLAttr) has passed by more than a
// grace. It gives space back, sooner or later; readers must not rely on it. It
// finds the items by the expiry index and deletes them under their locks, without an
// fsync: a crash may bring an item back, and the next search takes it again.
type janitor struct {
	store *Store
	grace time.Duration
	now   func() time.Time
	stop  chan struct{}
	ended chan struct{}
}

func startJanitor(s *Store, every, grace time.Duration, now func() time.Time) *janitor {
	j := &janitor{store: s, grace: grace, now: now, stop: make(chan struct{}), ended: make(chan struct{})}
	go j.run(every)
	return j
}

func (j *janitor) close() {
	close(j.stop)
	<-j.ended
}

func (j *janitor) run(every time.Duration) {
	defer close(j.ended)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-ticker.C:
		}
		if j.store.health.writable() != nil {
			continue
		}
		if n, err := j.sweep(); err != nil {
			j.store.health.log.Warn("reclaiming expired items failed and will be repeated", "error", err)
		} else if n > 0 {
			j.store.health.log.Debug("reclaimed expired items", "items", n)
		}
	}
}

// sweep deletes every item whose time has passed and returns their number.
func (j *janitor) sweep() (deleted int, err error) {
	before := j.now().Add(-j.grace).Unix()
	sc := scratchPool.Get().(*scratch)
	defer sc.release()
	next := []byte{spaceExpiry}
	for next != nil {
		var entries [][]byte
		if entries, next, err = j.due(next, before); err != nil {
			return deleted, err
		}
		for _, entry := range entries {
			select {
			case <-j.stop:
				return deleted, nil
			default:
			}
			gone, err := j.reclaim(sc, entry, before)
			if err != nil {
				return deleted, err
			}
			if gone {
				deleted++
			}
		}
	}
	return deleted, nil
}

// due reads entries from start on whose time is before the given one. next is
// where to go on, nil if there are no more.
func (j *janitor) due(start []byte, before int64) (entries [][]byte, next []byte, err error) {
	upper := binary.BigEndian.AppendUint64([]byte{spaceExpiry}, uint64(before)^(1<<63))
	it, err := j.store.db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: upper})
	if err != nil {
		return nil, nil, fmt.Errorf("embedded: reading the expiry index: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if len(entries) == janitorBatch {
			return entries, append([]byte(nil), it.Key()...), nil
		}
		entries = append(entries, append([]byte(nil), it.Key()...))
	}
	if err := it.Error(); err != nil {
		return nil, nil, fmt.Errorf("embedded: reading the expiry index: %w", err)
	}
	return entries, nil, nil
}

// reclaim deletes an index entry and, if its time has indeed passed, the item.
func (j *janitor) reclaim(sc *scratch, entry []byte, before int64) (gone bool, err error) {
	_, dataKey, err := splitExpiryKey(sc.key[:0], entry)
	if err != nil {
		return false, err
	}
	sc.key = dataKey
	st := j.store.stripes.of(dataKey)
	st.mu.Lock()
	defer st.mu.Unlock()
	as, err := load(j.store.db, dataKey)
	if err != nil {
		return false, fmt.Errorf("embedded: reading an expired item: %w", err)
	}
	b := j.store.db.NewBatch()
	defer b.Close()
	if x := as.Get(store.TTLAttr); x.Kind() == store.KindInt && x.Num() < before {
		gone = true
		err = b.Delete(dataKey, nil)
	}
	if err == nil {
		err = b.Delete(entry, nil)
	}
	if err == nil {
		j.store.forget(dataKey)
		st.changes.Add(1)
		defer st.changes.Add(1)
		err = j.store.db.Apply(b, pebble.NoSync)
	}
	if err != nil {
		return false, fmt.Errorf("embedded: deleting an expired item: %w", err)
	}
	return gone, nil
}
