package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
)

// parallelLogs is how many partitions are worked on at once.
const parallelLogs = 8

// Materialize moves records from the stream into their partitions' logs. It has
// to be given all records of a key in the stream's order, each at least once; it
// does no harm to give some again. On failure it returns the index of the first
// record that has to be given again, with all behind it; else len(ds).
func (e *Engine) Materialize(ctx context.Context, ds []ingest.Delivery) (int, error) {
	return e.materialize(ctx, ds, true)
}

// Run materializes what comes out of the stream until the context ends, or the engine is closed. In
// AWS a function does this.
func (e *Engine) Run(ctx context.Context) error {
	done, ok := e.runs.begin()
	if !ok {
		return nil
	}
	defer done()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(e.life, stop)()
	return e.stream.Consume(ctx, func(ctx context.Context, ds []ingest.Delivery) error {
		_, err := e.Materialize(ctx, ds)
		return err
	})
}

// arrival is an envelope that came out of the stream.
type arrival struct {
	envelope
	at int64 // Unix ms
}

// inOrder says that nothing of the same log is missing before or among the
// records: only then can what is missing be given up.
func (e *Engine) materialize(ctx context.Context, ds []ingest.Delivery, inOrder bool) (done int, err error) {
	logs := map[string][]arrival{}
	first := map[string]int{}
	var order []string
	for i, d := range ds {
		v, err := decodeEnvelope(d.Data)
		if err != nil {
			// It will never be better, and must not hold up the others.
			e.log.ErrorContext(ctx, "a record of the stream is left out", "sequence", d.Sequence, "key", d.Key, "error", err)
			continue
		}
		if _, ok := first[d.Key]; !ok {
			first[d.Key] = i
			order = append(order, d.Key)
		}
		logs[d.Key] = append(logs[d.Key], arrival{v, d.Arrived.UnixMilli()})
	}
	var mu sync.Mutex
	var news []string
	done = len(ds)
	var calls sync.WaitGroup
	room := make(chan struct{}, parallelLogs)
	for _, log := range order {
		room <- struct{}{}
		calls.Go(func() {
			defer func() { <-room }()
			told, e := e.apply(ctx, log, logs[log], inOrder)
			mu.Lock()
			defer mu.Unlock()
			if told {
				news = append(news, log)
			}
			if e != nil && first[log] < done {
				done, err = first[log], fmt.Errorf("materializing %s: %w", log, e)
			}
		})
	}
	calls.Wait()
	if e := e.spread(ctx, news); e != nil && err == nil {
		for _, log := range news {
			done, err = min(done, first[log]), e
		}
	}
	return done, err
}

// candidate is a batch, or parts of one, that is to become part of the log.
type candidate struct {
	envelope          // data: the whole batch, once it is complete
	missing  int      // parts
	pieces   [][]byte // by number
	stored   int      // pieces that wait in the store already
	void     bool     // the batch will never come
	noted    bool     // that it is void waits in the store already
	info     batch.Info
}

// applier is one run over one log.
type applier struct {
	e       *Engine
	ctx     context.Context
	log     string
	inOrder bool
	latest  int64 // arrival of the log's last record given, Unix ms
	given   int64 // what is missing below it will never come

	begun          int64 // when the head was read, Unix ms
	end            int64 // the log is complete up to here
	maxTime, bytes int64
	data           int64 // behind the last segment with data; unknownEnd
	mark           int64 // as the head has it
	pending        int64 // as the head had it last
	loaded         int64 // pending batches below it have been read
	keep           int64 // ms; negative: as the batches say
	candidates     map[int64]*candidate
	spent          []store.Key // of pending batches that have become part of the log, or never will
}

// apply moves records into one log. It reports whether those who wait elsewhere have to be told (see
// spread). Whoever has all records in order always tells: perhaps somebody else has moved them into
// the log, and died.
func (e *Engine) apply(ctx context.Context, log string, arrivals []arrival, inOrder bool) (news bool, err error) {
	return e.applyBelow(ctx, log, arrivals, inOrder, 0)
}

// applyBelow is apply where it is known that what is missing below an offset will never come.
func (e *Engine) applyBelow(ctx context.Context, log string, arrivals []arrival, inOrder bool, given int64) (news bool, err error) {
	begun := e.nowMs()
	heads, err := e.heads(ctx, []string{log})
	if err != nil {
		return false, err
	}
	h := heads[0]
	if h == nil {
		return false, nil // the topic is deleted
	}
	a := &applier{
		e: e, ctx: ctx, log: log, inOrder: inOrder, given: given, begun: begun,
		end: h.mark, maxTime: h.maxTime, bytes: h.bytes, data: h.data, mark: h.mark, pending: h.pending,
		keep: h.keep, candidates: map[int64]*candidate{},
	}
	if h.keepNote.IsZero() {
		a.keep = -1
	}
	for _, v := range arrivals {
		a.latest = max(a.latest, v.at)
		if inOrder && v.isFence() {
			a.given = max(a.given, v.base)
		}
		a.add(v.envelope, false)
	}
	for again := true; again; {
		if err := a.loadPending(); err != nil {
			return false, err
		}
		if err := a.grow(); err != nil {
			return false, err
		}
		if again, err = a.advance(); err != nil {
			return false, err
		}
		if !again {
			if again, err = a.keepRest(); err != nil {
				return false, err
			}
		}
	}
	e.recent.Forget(log)
	e.notifier.notify(log)
	news = h.hasNews && (inOrder || a.mark > h.mark)
	if len(a.spent) > 0 {
		return news, e.store.Load(ctx, nil, a.spent)
	}
	return news, nil
}

// add takes in an envelope.
func (a *applier) add(v envelope, stored bool) {
	if v.base < a.end || v.base == a.end && v.parts == 0 && !v.isVoid() {
		return
	}
	c := a.candidates[v.base]
	if v.isVoid() {
		if c == nil {
			c = &candidate{envelope: v}
			c.data = nil
			a.candidates[v.base] = c
		}
		if c.data == nil {
			c.void, c.noted, c.next = true, c.noted || stored, v.next
		}
		return
	}
	if c == nil || c.parts == 0 && v.parts > 0 { // a batch in place of a tick
		c = &candidate{envelope: v, missing: v.parts, pieces: make([][]byte, v.parts)}
		c.data = nil
		a.candidates[v.base] = c
	}
	if v.parts == 0 || v.parts != c.parts || v.next != c.next {
		c.reserved = min(c.reserved, v.reserved)
		return
	}
	if stored {
		c.stored++
	}
	if c.pieces[v.part] != nil {
		return
	}
	c.pieces[v.part] = v.data
	if c.missing--; c.missing > 0 {
		return
	}
	c.data = slices.Concat(c.pieces...)
	info, rest, err := batch.Next(c.data)
	if err != nil || len(rest) > 0 || info.Base != c.base || info.Next != c.next {
		// It was whole when it was produced. What is left of it is a gap.
		a.e.log.ErrorContext(a.ctx, "a damaged batch of the stream is left out", "log", a.log, "offset", v.base, "error", err)
		c.missing, c.data = c.parts, nil
		return
	}
	c.info, c.void = info, false
}

func (a *applier) loadPending() error {
	if a.pending <= a.end || a.pending <= a.loaded {
		return nil
	}
	items, err := a.e.queryAll(a.ctx, store.Query{Partition: a.log, From: kindPending, To: store.PrefixEnd(kindPending)})
	if err != nil {
		return fmt.Errorf("reading the batches that wait: %w", err)
	}
	for _, it := range items {
		v, err := decodeEnvelope([]byte(it.Attrs.Get(segData).Str()))
		if err != nil {
			return err
		}
		if v.next <= a.end {
			a.spent = append(a.spent, it.Key)
		} else {
			a.add(v, true)
		}
	}
	a.loaded = a.pending
	return nil
}

// grow appends segments as long as there is what comes next.
func (a *applier) grow() error {
	for {
		s := a.nextSegment()
		if s == nil {
			return nil
		}
		if err := a.write(s); err != nil {
			return err
		}
		a.drop()
	}
}

// nextSegment is what comes next in the log: batches, or a void; nil if that is not known.
func (a *applier) nextSegment() *segment {
	s := &segment{base: a.end, next: a.end, maxTime: a.maxTime, appended: a.e.nowMs()}
	keep, ever := int64(0), false
	for {
		c := a.candidates[s.next]
		if c == nil || c.data == nil || len(s.data) > 0 && len(s.data)+len(c.data) > a.e.maxSegment() {
			break
		}
		keep, ever = max(keep, c.keep), ever || c.keep == 0
		s.data = append(s.data, c.data...)
		s.next = c.next
		if c.info.Count > 0 {
			s.maxTime = max(s.maxTime, c.info.MaxTimestamp)
		}
	}
	if c := a.candidates[a.end]; len(s.data) == 0 && c != nil && c.void {
		s.next = c.next
	} else if len(s.data) == 0 {
		if s.next = a.voidUntil(); s.next == 0 {
			return nil
		}
		a.e.log.WarnContext(a.ctx, "offsets were reserved and never used", "log", a.log, "from", s.base, "to", s.next)
	} else {
		if a.keep >= 0 {
			keep, ever = a.keep, a.keep == 0
		}
		if !ever {
			s.expires = s.appended + keep
		}
	}
	s.bytes = a.bytes + int64(len(s.data))
	return s
}

// voidUntil is the end of the gap that begins at the log's end, 0 if what is
// missing may still come. It cannot come if something that was reserved after it
// is so old that its producer has given up, and the stream is past that moment.
func (a *applier) voidUntil() int64 {
	if !a.inOrder && a.end >= a.given {
		return 0
	}
	until, expired := a.given, a.end < a.given
	if !expired {
		until = 0
	}
	for base, c := range a.candidates {
		if base > a.end && (until == 0 || base < until) {
			until = base
		}
		expired = expired || base > a.end && a.latest > c.reserved+a.e.reservationLife().Milliseconds()
	}
	if !expired {
		return 0
	}
	return until
}

// maxApply is for how long an applier writes after it has read the head, in ms. In a process that was frozen for longer
// the place may be one that was written meanwhile, and merged into another segment (see mergeAge).
const maxApply = 60 * 60 * 1000

// write appends a segment, or finds that something else has come there.
func (a *applier) write(s *segment) error {
	if a.e.nowMs()-a.begun > maxApply {
		return fmt.Errorf("writing a segment: what is known of the log is too old: %w", store.ErrUnavailable)
	}
	if a.e.inObject(len(s.data)) {
		if err := a.e.putObject(a.ctx, a.log, s); err != nil {
			return err
		}
	} else if len(s.data) > itemData {
		pieces := s.cut(a.log)
		// The same batch makes the same pieces, whoever writes them; nobody looks for them yet.
		if err := a.e.store.Load(a.ctx, pieces, nil); err != nil {
			return fmt.Errorf("writing a large batch: %w", err)
		}
	}
	op := store.Put(offsetKey(a.log, kindSegment, s.base), s.attrs(), store.Absent(segNext))
	err := a.e.repeat(a.ctx, func() error { _, err := a.e.store.Apply(a.ctx, op); return err })
	if ce, ok := unmet(err); ok {
		mine := s.object
		if s = segmentOf(s.base, ce.Old); mine != "" && s.object != mine {
			a.e.deleteObjects(a.ctx, mine)
		}
	} else if err != nil {
		return fmt.Errorf("writing a segment: %w", err)
	}
	a.end, a.maxTime, a.bytes = s.next, max(a.maxTime, s.maxTime), s.bytes
	if !s.isVoid() {
		a.data = s.next
	}
	return nil
}

// maxLost bounds how often a write is repeated because its answer was lost.
const maxLost = 4

// repeat repeats a write that does no harm when it is repeated: if its answer was lost, and on a
// conflict with a transaction. An unmet condition ends it.
func (e *Engine) repeat(ctx context.Context, write func() error) error {
	attempts := e.retry.Begin()
	for lost := 0; ; {
		err := write()
		switch _, changed := unmet(err); {
		case changed:
			return err
		case errors.Is(err, store.ErrUnknownOutcome) && lost < maxLost:
			lost++
		case !errors.Is(err, store.ErrConflict):
			return err
		}
		if gaveUp := attempts.Wait(ctx, err); gaveUp != nil {
			if lost > 0 {
				return errors.Join(gaveUp, store.ErrUnknownOutcome)
			}
			return gaveUp
		}
	}
}

// advance moves the watermark. It reports whether there may be more to do.
func (a *applier) advance() (again bool, err error) {
	if a.end > a.mark {
		edits := []store.Edit{store.Set(headMark, store.Int(a.end)), store.Set(headMaxTime, store.Int(a.maxTime)), store.Set(headBytes, store.Int(a.bytes))}
		if a.data != unknownEnd {
			edits = append(edits, store.Set(headData, varints(a.end, a.data)))
		}
		op := store.Update(headKey(a.log), store.And{store.Exists(headNext), store.Lt(headMark, store.Int(a.end))}, edits...)
		var old store.Attrs
		err := a.e.repeat(a.ctx, func() error { old, err = a.e.store.Apply(a.ctx, op); return err })
		if ce, ok := unmet(err); ok {
			old = ce.Old
		} else if err != nil {
			return false, fmt.Errorf("moving the watermark: %w", err)
		}
		a.mark = a.end
		a.seen(headOf(old))
	}
	return a.pending > max(a.end, a.loaded) || a.canGrow(), nil
}

// seen takes in a newer state of the head.
func (a *applier) seen(h *head) {
	if h == nil { // the topic is deleted
		a.candidates, a.pending = nil, 0
		return
	}
	a.pending = h.pending
	if h.mark > a.end {
		a.end, a.mark, a.maxTime, a.bytes, a.data = h.mark, h.mark, h.maxTime, h.bytes, h.data
		a.drop()
	}
}

// drop forgets what is below the log's end.
func (a *applier) drop() {
	for base, c := range a.candidates {
		if base >= a.end {
			continue
		}
		delete(a.candidates, base)
		for part := range c.parts {
			if c.stored > 0 {
				a.spent = append(a.spent, numberedKey(a.log, kindPending, base, part))
			}
		}
		if c.noted {
			a.spent = append(a.spent, numberedKey(a.log, kindPending, base, voidNumber))
		}
	}
}

func (a *applier) canGrow() bool {
	c := a.candidates[a.end]
	return c != nil && (c.data != nil || c.void)
}

// voidNumber is the number of a void among the parts of a batch that wait.
const voidNumber = 1<<16 - 1

// keepRest stores what cannot become part of the log yet. It reports whether that has
// become possible meanwhile.
func (a *applier) keepRest() (again bool, err error) {
	var items []store.Item
	until := int64(0)
	for base, c := range a.candidates {
		for part, data := range c.pieces {
			if data == nil || c.stored > 0 && c.missing == 0 && c.stored == c.parts {
				continue
			}
			v := envelope{base: c.base, next: c.next, reserved: c.reserved, keep: c.keep, part: part, parts: c.parts, data: data}
			items = append(items, store.Item{
				Key:   numberedKey(a.log, kindPending, base, part),
				Attrs: store.NewAttrs(store.Attr{Name: segData, Value: store.Bytes(string(v.encode()))}),
			})
			until = max(until, c.next)
			c.stored = c.parts
		}
		if c.void && !c.noted {
			v := envelope{base: c.base, next: c.next, reserved: c.reserved}
			items = append(items, store.Item{
				Key:   numberedKey(a.log, kindPending, base, voidNumber),
				Attrs: store.NewAttrs(store.Attr{Name: segData, Value: store.Bytes(string(v.encode()))}),
			})
			until = max(until, c.next)
			c.noted = true
		}
	}
	if len(items) == 0 {
		return false, nil
	}
	slices.SortFunc(items, func(x, y store.Item) int { return cmp.Compare(x.Key.Sort, y.Key.Sort) })
	if err := a.e.store.Load(a.ctx, items, nil); err != nil {
		return false, fmt.Errorf("storing batches that wait: %w", err)
	}
	// Whoever moves the watermark after this sees that they wait; if somebody has
	// moved it before, this sees it.
	op := store.Update(headKey(a.log), store.And{store.Exists(headNext), store.Or{store.Absent(headPending), store.Lt(headPending, store.Int(until))}},
		store.Set(headPending, store.Int(until)))
	var old store.Attrs
	err = a.e.repeat(a.ctx, func() error { old, err = a.e.store.Apply(a.ctx, op); return err })
	if ce, ok := unmet(err); ok {
		old = ce.Old
	} else if err != nil {
		return false, fmt.Errorf("noting batches that wait: %w", err)
	}
	before := a.end
	a.seen(headOf(old))
	if a.end > before {
		a.loaded = 0
		return true, nil
	}
	return false, nil
}
