package kafka

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/store"
)

// How much of a log is compacted at once.
const (
	maxPassBytes = 1 << 30  // of the part whose keys one pass learns
	saveEvery    = 32 << 20 // bytes read after which a pass notes how far it has got
	compactPage  = 64       // segments that one query reads at most
)

// compact removes messages that a later one with the same key has replaced. The
// offsets of those that stay do not change, and segments stay where they are: who
// reads meanwhile sees either what was or what is left.
//
// The log's lower part, up to cleaned.upTo, is one in which no key occurs twice. A pass makes it
// longer: it learns the last offset of each key in the part above, as much of it as its memory
// holds, and then goes over everything below the new end. It begins once the part above is as large
// as what is left of the lower, so that all passes together read a log about twice; settings of the topic
// may say otherwise, see compaction. A pass that is interrupted goes on where it was.
//
// A tombstone goes if no older message of its key can be there: it lies in the lower part. It also
// has to have been there for a day, or what the topic says, since a pass has first met it.
func (e *Engine) compact(ctx context.Context, log string, h *head, when compaction) error {
	now := e.nowMs()
	for h != nil && (h.pass != nil || when.isDue(h, now)) {
		from, until := h.cleaned.upTo, h.mark
		more, err := e.compactOnce(ctx, log, h, when, now)
		if err != nil {
			return fmt.Errorf("compacting: %w", err)
		}
		if !more {
			return nil
		}
		heads, err := e.heads(ctx, []string{log})
		if err != nil {
			return fmt.Errorf("compacting: %w", err)
		}
		if h = heads[0]; h != nil && h.pass == nil && from < h.cleaned.upTo && h.cleaned.upTo < until {
			h.cleaned.at = 0 // the rest of what was due
		}
	}
	return nil
}

// compactor is one pass over one log.
type compactor struct {
	e       *Engine
	ctx     context.Context
	log     string
	h       *head // as it was read
	when    compaction
	now     int64
	keys    map[keyHash]int64 // the last offset of each key from cleaned.upTo up to pass.to
	pass    pass
	total   int64       // bytes ever written below pass.to
	noted   store.Value // headPass as the head has it
	last    int64       // base of the last segment with data
	hasLast bool
}

type keyHash [16]byte

func hashKey(key []byte) keyHash {
	sum := sha256.Sum256(key)
	return keyHash(sum[:])
}

// errOvertaken means that another compactor has changed the log. It goes on instead.
var errOvertaken = errors.New("kafka: another compaction is under way")

// compactOnce makes one pass. It reports whether there may be another to make.
func (e *Engine) compactOnce(ctx context.Context, log string, h *head, when compaction, now int64) (more bool, err error) {
	c := &compactor{e: e, ctx: ctx, log: log, h: h, when: when, now: now, total: h.cleaned.total}
	some, err := c.begin()
	if err != nil || !some {
		return false, err
	}
	if h.pass == nil && e.objects != nil { // a merge must not begin meanwhile
		err = c.save()
	}
	if err == nil {
		err = c.run()
	}
	if err == nil {
		err = c.finish()
	}
	if errors.Is(err, errOvertaken) {
		return false, nil
	}
	return err == nil, err
}

// begin prepares the pass, or goes on with the one that is under way. It reports false if there is nothing to do.
func (c *compactor) begin() (some bool, err error) {
	h := c.h
	if h.pass != nil {
		c.pass, c.noted = *h.pass, h.pass.value()
		if h.pass.to > h.cleaned.upTo {
			err = c.learn()
		}
		return true, err
	}
	if h.bytes != h.cleaned.total {
		young, err := c.startsYoung()
		if err != nil {
			return false, err
		}
		if !young {
			return true, c.learn()
		}
	}
	// Without dirt the pass only looks for tombstones, and only where there are some.
	c.pass = pass{to: h.cleaned.upTo, at: h.cleaned.tombLow, left: h.cleaned.left}
	return c.when.tombsAreDue(h.cleaned, c.now), nil
}

// startsYoung reports whether all that is above what is clean is too new to be compacted.
func (c *compactor) startsYoung() (bool, error) {
	if c.when.minLag == 0 {
		return false, nil
	}
	page, err := c.e.store.Query(c.ctx, store.Query{
		Partition: c.log, From: offsetKey(c.log, kindSegment, c.h.cleaned.upTo).Sort, To: offsetKey(c.log, kindSegment, c.h.mark).Sort, Limit: 1,
	})
	if err != nil || len(page.Items) == 0 {
		return false, err
	}
	return c.when.isYoung(segmentOf(offsetOf(page.Items[0].Key), page.Items[0].Attrs), c.now), nil
}

// learn reads the part above what is clean, and with it the last offset of each key. Of a pass that
// goes on it reads what that one had read: what has been removed since was not the last of its key.
func (c *compactor) learn() error {
	c.keys = map[keyHash]int64{}
	from, to := c.h.cleaned.upTo, c.h.mark
	if c.h.pass != nil {
		to = c.h.pass.to
	}
	read, end, full := 0, from, false
	err := c.segments(from, to, func(s *segment) (bool, error) {
		if full = c.h.pass == nil && (read > 0 && (len(c.keys) >= c.e.compactKeys || read >= maxPassBytes) || c.when.isYoung(s, c.now)); full {
			return false, nil
		}
		data, err := c.records(s, func(r *batch.Record) { c.keys[hashKey(r.Key)] = r.Offset })
		read += data
		end, c.total = s.next, s.bytes
		return true, err
	})
	if !full {
		end = to
	}
	if end == c.h.mark {
		c.total = c.h.bytes
	}
	if c.h.pass == nil {
		c.pass = pass{to: end, at: c.h.firstBase()}
	}
	return err
}

// records calls f for all messages of a segment and returns the bytes read. What cannot be decoded is
// left out.
func (c *compactor) records(s *segment, f func(*batch.Record)) (read int, err error) {
	data, err := c.e.segmentData(c.ctx, c.log, s)
	if err != nil {
		return 0, err
	}
	infos, err := splitBatches(data)
	if err != nil {
		c.undecodable(s.base, err)
		return len(data), nil
	}
	for _, info := range infos {
		records, err := info.Records()
		if err != nil {
			c.undecodable(info.Base, err)
			continue
		}
		for i := range records {
			f(&records[i])
		}
	}
	return len(data), nil
}

func (c *compactor) undecodable(offset int64, err error) {
	c.e.log.ErrorContext(c.ctx, "a batch cannot be compacted", "log", c.log, "offset", offset, "error", err)
}

// segments calls f for the segments from an offset on, until it returns false.
func (c *compactor) segments(from, to int64, f func(*segment) (bool, error)) error {
	q := store.Query{
		Partition: c.log, From: offsetKey(c.log, kindSegment, from).Sort, To: offsetKey(c.log, kindSegment, to).Sort, Limit: compactPage,
	}
	for from < to {
		page, err := c.e.store.Query(c.ctx, q)
		if err != nil {
			return err
		}
		for _, it := range page.Items {
			if more, err := f(segmentOf(offsetOf(it.Key), it.Attrs)); err != nil || !more {
				return err
			}
		}
		if !page.More {
			return nil
		}
		q = q.Next(page)
	}
	return nil
}

// run goes over everything below the pass's end.
func (c *compactor) run() error {
	saved := 0
	return c.segments(c.pass.at, c.pass.to, func(s *segment) (bool, error) {
		before, after, err := c.segment(s)
		if err != nil {
			return false, err
		}
		if c.keys == nil {
			c.pass.left -= int64(before - after)
		} else {
			c.pass.left += int64(after)
		}
		c.pass.at = s.next
		if saved += before; saved >= saveEvery {
			saved = 0
			return true, c.save()
		}
		return true, nil
	})
}

// save notes how far the pass has got.
func (c *compactor) save() error {
	at := c.pass.value()
	if err := c.update(store.Set(headPass, at)); err != nil {
		return err
	}
	c.noted = at
	return nil
}

// finish notes that the pass is done.
func (c *compactor) finish() error {
	done := cleaned{
		upTo: c.pass.to, left: max(0, c.pass.left), total: c.total, at: c.now, tombLow: c.pass.tombLow, tombsDue: c.pass.tombsDue,
	}
	return c.update(append(done.edits(), store.Remove(headPass))...)
}

// update changes the head, unless another compactor has.
func (c *compactor) update(edits ...store.Edit) error {
	cond := store.And{store.Exists(headNext), store.Same(headPass, c.noted), store.Same(headCleaned, c.h.cleaned.note), store.Absent(headMerging), store.Same(headMerged, c.h.merged.note)}
	err := c.e.repeat(c.ctx, func() error {
		_, err := c.e.store.Apply(c.ctx, store.Update(headKey(c.log), cond, edits...))
		return err
	})
	if _, ok := unmet(err); ok {
		return errOvertaken
	}
	return err
}
