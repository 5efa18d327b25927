package keyspace

import (
	"encoding/binary"
	"iter"
	"slices"
	"sort"

	"github.com/skystash/skystash/pkg/store"
)

// streamLog is a map from ids to records that mostly grows at its end: a stream's entries, or a
// group's pending entries. Its last records, the tail, are kept where the log
// belongs, in the stream's head or the group's item, so that appending writes nothing else. A
// tail that has grown becomes a page: an item of the generation with many records.
//
// A page is named after an id that none of its records exceeds, and holds all that lie between it
// and the page before.
type streamLog struct {
	s     *Stream
	num   uint64   // tells the pages of the stream's logs apart
	from  StreamID // the tail has the records from here on; zero: there are no pages
	dense int      // how many records a page holds: those made last
	tail  []streamRecord
	pages []*streamPage // that are known, in order
	gone  []string      // sort keys of further pages to be deleted

	forgot bool // pages that had been read are not known any more
}

type streamRecord struct {
	ID   StreamID
	data string
}

// streamPage is a page, or a place where there is none but could be one.
type streamPage struct {
	key    StreamID
	low    StreamID // from here to key no other page holds anything
	recs   []streamRecord
	stored bool
	dirty  bool
	held   int64 // bytes that were decompressed for it
}

const (
	// streamTail is the size of a tail (bytes) from which it becomes a page: small, for it is
	// written again with every change.
	streamTail = 768
	// streamPageSize is how large the pages are into which a longer tail is cut.
	streamPageSize = 4 << 10
	// maxNewPages is how many pages a tail is cut into at most, unless they are new ones that a
	// transaction need not hold; they get larger then.
	maxNewPages = 32
	// maxPagesRead is how many pages are read at once.
	maxPagesRead = 512
	// maxPagesKnown is how many pages are kept, and more only if they were changed.
	maxPagesKnown = 1024
	// maxPagesDropped is how many pages a transaction deletes; more are left to the reclaimer.
	maxPagesDropped = 40
)

func pagePrefix(log uint64) string {
	return elemPage + string(binary.BigEndian.AppendUint32(nil, uint32(log)))
}

func (l *streamLog) sort(id StreamID) string { return pagePrefix(l.num) + id.sort() }

// find is the place of an id among records, and whether it is there.
func find(recs []streamRecord, id StreamID) (int, bool) {
	return slices.BinarySearchFunc(recs, id, func(r streamRecord, id StreamID) int { return r.ID.compare(id) })
}

// known is the page that must hold an id below from, nil if it has not been read.
func (l *streamLog) known(id StreamID) *streamPage {
	i := sort.Search(len(l.pages), func(i int) bool { return !l.pages[i].key.Less(id) })
	if i < len(l.pages) && !id.Less(l.pages[i].low) {
		return l.pages[i]
	}
	return nil
}

// page is known, or read; readahead is how many records from there on the caller wants to see, 0 for all.
func (l *streamLog) page(id StreamID, readahead int) *streamPage {
	if p := l.known(id); p != nil {
		return p
	}
	l.readFrom(id, l.pagesOf(readahead))
	if p := l.known(id); p != nil {
		return p
	}
	return &streamPage{key: l.last()} // the transaction has failed
}

// pagesOf estimates how many pages hold a number of records.
func (l *streamLog) pagesOf(readahead int) int {
	if readahead == 0 {
		return maxPagesRead
	}
	return min(min(readahead, MaxScanCount)/max(l.dense, 1)+2, maxPagesRead)
}

// last is the highest id that a page may hold.
func (l *streamLog) last() StreamID {
	id, _ := l.from.Prev()
	return id
}

// learn remembers what is known about the ids from low to the page's key: the one page there, with its
// records, or that there is no page. The page has that name, or will have it when it is written.
func (l *streamLog) learn(low StreamID, p *streamPage) {
	i := sort.Search(len(l.pages), func(i int) bool { return !l.pages[i].key.Less(low) })
	if i < len(l.pages) && !p.key.Less(l.pages[i].low) {
		if low.Less(l.pages[i].low) {
			l.pages[i].low = low
		}
		l.s.tx.Hold(-p.held)
		return
	}
	p.low = low
	l.pages = slices.Insert(l.pages, i, p)
}

// forget drops pages from memory before more pages are read, so that a command that walks through a
// long log does not keep all of it. Changed pages stay, and so does the page named but.
func (l *streamLog) forget(but StreamID) {
	if len(l.pages) <= maxPagesKnown {
		return
	}
	l.forgot = true
	l.pages = slices.DeleteFunc(l.pages, func(p *streamPage) bool {
		gone := !p.dirty && p.key != but
		if gone {
			l.s.tx.Hold(-p.held)
		}
		return gone
	})
}

// readFrom reads pages from that of an id on.
func (l *streamLog) readFrom(id StreamID, limit int) {
	l.forget(id)
	q := store.Query{From: l.sort(id), To: l.sort(l.from), Limit: limit}
	n, low := 0, id
	for it := range l.query(q) {
		p := l.decode(it)
		l.learn(low, p)
		n++
		low, _ = p.key.Next()
	}
	if n < limit && low.Less(l.from) && l.s.tx.err == nil {
		l.learn(low, &streamPage{key: l.last()})
	}
}

// readBefore reads pages in descending order: from the last page whose name is below bound to the
// page of the id to, at most limit pages. It learns what lies between these pages and top. top is
// bound if a page has that name, and the highest id of the pages otherwise.
func (l *streamLog) readBefore(bound, top, to StreamID, limit int) {
	l.forget(top)
	q := store.Query{From: l.sort(to), To: l.sort(bound), Reverse: true, Limit: limit}
	var pages []*streamPage
	for it := range l.query(q) {
		pages = append(pages, l.decode(it))
	}
	if l.s.tx.err != nil {
		return
	}
	low := to
	if len(pages) == limit {
		low = pages[limit-1].key
		if recs := pages[limit-1].recs; len(recs) > 0 {
			low = recs[0].ID
		}
	}
	for _, p := range slices.Backward(pages) {
		l.learn(low, p)
		low, _ = p.key.Next()
	}
	if !top.Less(low) {
		l.learn(low, &streamPage{key: top})
	}
}

// query reads pages.
func (l *streamLog) query(q store.Query) iter.Seq[store.Item] {
	q.Partition = l.s.partition()
	if l != &l.s.entries {
		l.s.searched = true
	}
	return l.s.tx.query(q)
}

func (l *streamLog) decode(it store.Item) *streamPage {
	key := streamIDOfSort(it.Key.Sort[len(pagePrefix(0)):])
	t := textOf(it.Attrs)
	recs, err := unpackRecords(l.s.tx.keep(t))
	if err != nil {
		l.s.tx.Fail(err)
	}
	l.s.tx.spend(ElementWork * int64(len(recs)))
	p := &streamPage{key: key, recs: recs, stored: true}
	if t.packed != "" {
		p.held = int64(t.len())
	}
	return p
}

// recordsAt is the records among which an id belongs: the tail, or a page's.
func (l *streamLog) recordsAt(id StreamID, readahead int) (*[]streamRecord, *streamPage) {
	l.s.tx.spend(2 * ElementWork)
	if !id.Less(l.from) {
		return &l.tail, nil
	}
	p := l.page(id, readahead)
	return &p.recs, p
}

// get returns a record's data; readahead is how many records from there on will be asked for.
func (l *streamLog) get(id StreamID, readahead int) (string, bool) {
	recs, _ := l.recordsAt(id, max(readahead, 1))
	if i, ok := find(*recs, id); ok {
		return (*recs)[i].data, true
	}
	return "", false
}

// put sets a record.
func (l *streamLog) put(id StreamID, data string) {
	recs, page := l.recordsAt(id, 1)
	if page != nil {
		page.dirty = true
	}
	l.s.tx.Take(ElementMemory + int64(len(data)))
	rec := streamRecord{id, data}
	if i, ok := find(*recs, id); ok {
		(*recs)[i] = rec
	} else {
		*recs = slices.Insert(*recs, i, rec)
	}
}

// del removes a record and reports whether it was there. Whoever iterates does not notice.
func (l *streamLog) del(id StreamID, readahead int) bool {
	recs, page := l.recordsAt(id, max(readahead, 1))
	i, ok := find(*recs, id)
	if !ok {
		return false
	}
	if page != nil {
		page.dirty = true
	}
	l.s.tx.spend(16 * int64(len(*recs)))
	*recs = slices.Concat((*recs)[:i], (*recs)[i+1:])
	return true
}

// seen counts a record that an iteration has come to. It reports whether the iteration may go on.
func (l *streamLog) seen(r streamRecord) bool {
	l.s.tx.spend(2*ElementWork + int64(len(r.data)))
	return l.s.tx.err == nil
}

// ascend iterates over the records from one id to another, both inclusive; readahead is how many the
// caller expects to look at, 0 for all.
func (l *streamLog) ascend(from, to StreamID, readahead int) iter.Seq[streamRecord] {
	return func(yield func(streamRecord) bool) {
		for from.Less(l.from) {
			p := l.known(from)
			if p == nil {
				p = l.page(from, readahead)
				readahead *= 2 // whoever reads on reads more and more
			}
			i, _ := find(p.recs, from)
			for _, r := range p.recs[i:] {
				if to.Less(r.ID) || !l.seen(r) || !yield(r) {
					return
				}
			}
			var ok bool
			if from, ok = p.key.Next(); !ok || to.Less(from) || l.s.tx.err != nil {
				return
			}
		}
		i, _ := find(l.tail, from)
		for _, r := range l.tail[i:] {
			if to.Less(r.ID) || !l.seen(r) || !yield(r) {
				return
			}
		}
	}
}

// descend is ascend in the opposite direction, from the higher id to the lower one.
func (l *streamLog) descend(from, to StreamID, readahead int) iter.Seq[streamRecord] {
	return func(yield func(streamRecord) bool) {
		down := func(recs []streamRecord) bool {
			i, ok := find(recs, from)
			if ok {
				i++
			}
			for _, r := range slices.Backward(recs[:i]) {
				if r.ID.Less(to) || !l.seen(r) || !yield(r) {
					return false
				}
			}
			return true
		}
		if !down(l.tail) || l.from.IsZero() {
			return
		}
		if last := l.last(); last.Less(from) {
			from = last
		}
		for !from.Less(to) && l.s.tx.err == nil {
			p := l.known(from)
			switch {
			case p != nil:
			case from == l.last():
				l.readBefore(l.from, from, to, l.pagesOf(readahead))
				p = l.page(from, 1)
			default:
				p = l.page(from, 1)
			}
			if !down(p.recs) {
				return
			}
			if below, ok := p.low.Prev(); ok && to.Less(p.low) && l.known(below) == nil {
				l.readBefore(p.key, p.key, to, l.pagesOf(readahead))
				readahead *= 2
			}
			var ok bool
			if from, ok = p.low.Prev(); !ok {
				return
			}
		}
	}
}

// cut drops all records below an id. whole says that all pages with such records are in memory. The
// page that holds the id itself may keep lower records, since nobody looks for them there.
func (l *streamLog) cut(id StreamID, whole bool) {
	if i, _ := find(l.tail, id); i > 0 {
		l.tail = slices.Clone(l.tail[i:])
	}
	var stored []string
	keep := l.pages[:0:0]
	for _, p := range l.pages {
		switch {
		case !p.key.Less(id):
			keep = append(keep, p)
		case p.stored:
			stored = append(stored, l.sort(p.key))
		}
	}
	l.pages = keep
	switch {
	case l.from.IsZero():
	case whole && !l.forgot && len(l.gone)+len(stored) <= maxPagesDropped:
		l.gone = append(l.gone, stored...)
	default:
		if l.from.Less(id) {
			id = l.from
		}
		l.s.discard(l.sort(StreamID{}), l.sort(id))
	}
}

// clear drops all records. Lower ids than those it had may come, so it begins a new log.
func (l *streamLog) clear() {
	if l.from.IsZero() {
		l.tail = nil
		return
	}
	l.cut(l.from, l.covered())
	*l = streamLog{s: l.s, num: l.s.nextLog(), gone: l.gone}
}

// covered reports whether all pages are known.
func (l *streamLog) covered() bool {
	low := StreamID{}
	for _, p := range l.pages {
		if low.Less(p.low) {
			return false
		}
		low, _ = p.key.Next()
	}
	return !low.Less(l.from)
}

// ops lists the writes of changed pages. If the tail has grown too large, ops turns it into new
// pages. reshaped reports whether pages that were in the store before are changed.
func (l *streamLog) ops() (ops []elemOp, reshaped bool) {
	for _, key := range l.gone {
		ops = append(ops, elemOp{sort: key})
	}
	for _, p := range l.pages {
		switch {
		case !p.dirty:
		case len(p.recs) > 0:
			cut := cutRecords(p.recs, 2*streamPageSize)
			for _, chunk := range cut[:len(cut)-1] {
				ops = append(ops, l.pageOp(chunk[len(chunk)-1].ID, chunk))
			}
			ops = append(ops, l.pageOp(p.key, cut[len(cut)-1]))
		case p.stored:
			ops = append(ops, elemOp{sort: l.sort(p.key)})
		}
	}
	reshaped = len(ops) > 0
	if len(packRecords(l.tail)) <= streamTail {
		return ops, reshaped
	}
	limit := streamPageSize
	if !l.s.obj.fresh {
		limit = max(limit, recordsSize(l.tail)/maxNewPages)
	}
	cut := cutRecords(l.tail, limit)
	l.dense = len(l.tail) / len(cut)
	for _, chunk := range cut {
		last := chunk[len(chunk)-1].ID
		next, ok := last.Next()
		if !ok {
			break // no id can follow it, so it stays in the tail
		}
		ops = append(ops, l.pageOp(last, chunk))
		l.from, l.tail = next, l.tail[len(chunk):]
	}
	return ops, reshaped
}

func (l *streamLog) pageOp(key StreamID, recs []streamRecord) elemOp {
	return elemOp{sort: l.sort(key), attrs: store.Attrs{l.s.tx.stored(text{plain: packRecords(recs)}, 0)}}
}

// cutRecords cuts records into runs of about a size.
func cutRecords(recs []streamRecord, limit int) [][]streamRecord {
	var out [][]streamRecord
	start, size := 0, 0
	for i, r := range recs {
		n := recordSize(r)
		if i > start && size+n > limit {
			out = append(out, recs[start:i])
			start, size = i, 0
		}
		size += n
	}
	return append(out, recs[start:])
}

// recordsSize is about how many bytes records take when they are packed, at most.
func recordsSize(recs []streamRecord) int {
	n := 0
	for _, r := range recs {
		n += recordSize(r)
	}
	return n
}

func recordSize(r streamRecord) int { return len(r.data) + 6 }
