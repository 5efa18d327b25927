package kafka

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/store"
)

const (
	// DefaultObjectBytes is the size from which on a segment is cheaper in an object, even if it is not
	// stored for long: one PUT of S3 costs what eight write units of DynamoDB do.
	DefaultObjectBytes = 9 << 10
	// objectData is the number of bytes of batches that are merged into one object when they come. Whoever reads a
	// part of it reads all of it.
	objectData = 1 << 20

	// orphansEvery is how often a log's objects are compared with its segments, in ms.
	orphansEvery = 24 * 60 * 60 * 1000
	// orphanAge is how old an object is at least that no segment names before it is deleted, in ms: its
	// segment is written within minutes or never.
	orphanAge = 24 * 60 * 60 * 1000
)

// inObject reports whether so many bytes of a segment go into an object.
func (e *Engine) inObject(size int) bool {
	return e.objects != nil && e.objectBytes >= 0 && size >= e.objectBytes
}

// maxSegment is up to how many bytes batches are merged into one segment.
func (e *Engine) maxSegment() int {
	if e.inObject(objectData) {
		return objectData
	}
	return itemData
}

// putObject puts a segment's data into an object, under a name of its own: nobody else ever writes it.
// The segment's item is written after it.
func (e *Engine) putObject(ctx context.Context, log string, s *segment) error {
	id := hex.EncodeToString([]byte(writeID()))
	name := fmt.Sprintf("%s/%016x-%x-%s", log, s.base, e.nowMs(), id)
	if err := e.objects.Put(ctx, name, s.data); err != nil {
		return fmt.Errorf("writing a segment's object: %w", err)
	}
	s.object, s.objectBytes, s.index, s.data = name, int64(len(s.data)), e.indexOf(s.base, s.data), nil
	return nil
}

// deleteObjects deletes objects that no segment names any more. What fails is left to orphans.
func (e *Engine) deleteObjects(ctx context.Context, names ...string) {
	if e.objects == nil || len(names) == 0 {
		return
	}
	if err := e.objects.Delete(ctx, names); err != nil {
		e.log.WarnContext(ctx, "objects are deleted later", "objects", len(names), "error", err)
	}
}

// objectOf is what an object's name says: the base of its segment, and when it was made, Unix ms.
func objectOf(log, name string) (base, made int64, ok bool) {
	rest, ok := strings.CutPrefix(name, log+"/")
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 3 {
		return 0, 0, false
	}
	base, err := strconv.ParseInt(parts[0], 16, 64)
	made, err2 := strconv.ParseInt(parts[1], 16, 64)
	return base, made, err == nil && err2 == nil
}

// orphans deletes the objects of a log that no segment names: of writers that died between the object
// and the segment's item, and of segments that the store has deleted by their time. An object that is
// new, or whose segment may still be written, is left alone.
func (e *Engine) orphans(ctx context.Context, log string, h *head) (deleted int, err error) {
	now := e.nowMs()
	for after := ""; ; {
		names, err := e.objects.List(ctx, log+"/", after)
		if err != nil {
			return deleted, fmt.Errorf("listing a log's objects: %w", err)
		}
		var old []string
		var keys []store.Key
		for _, name := range names {
			if base, made, ok := objectOf(log, name); ok && base < h.mark && made <= now-orphanAge {
				old, keys = append(old, name), append(keys, offsetKey(log, kindSegment, base))
			}
		}
		items, err := e.store.GetMany(ctx, keys, false)
		if err != nil {
			return deleted, fmt.Errorf("reading the segments of objects: %w", err)
		}
		var orphans []string
		for i, it := range items {
			if it.Get(segObject).Str() != old[i] {
				orphans = append(orphans, old[i])
			}
		}
		if err := e.objects.Delete(ctx, orphans); err != nil {
			return deleted, fmt.Errorf("deleting orphans: %w", err)
		}
		if deleted += len(orphans); len(names) < objects.PageSize {
			break
		}
		after = names[len(names)-1]
	}
	_, err = e.store.Apply(ctx, store.Update(headKey(log), store.Exists(headNext), store.Set(headObjects, store.Int(now))))
	if _, ok := unmet(err); err != nil && !ok {
		return deleted, fmt.Errorf("noting that orphans were looked for: %w", err)
	}
	return deleted, nil
}

// deleteAllObjects deletes the objects of a log that is deleted.
func (e *Engine) deleteAllObjects(ctx context.Context, log string) (deleted int, err error) {
	if e.objects == nil {
		return 0, nil
	}
	for {
		names, err := e.objects.List(ctx, log+"/", "")
		if err != nil {
			return deleted, fmt.Errorf("listing a log's objects: %w", err)
		}
		if err := e.objects.Delete(ctx, names); err != nil {
			return deleted, fmt.Errorf("deleting a log's objects: %w", err)
		}
		if deleted += len(names); len(names) < objects.PageSize {
			return deleted, nil
		}
	}
}

// errNoObjects means that a segment's data is in an object, and the engine has no store of objects.
var errNoObjects = errors.New("kafka: the log has segments in objects: a store of objects is needed")

// readObject reads a segment's object.
func (e *Engine) readObject(ctx context.Context, s *segment) ([]byte, error) {
	if e.objects == nil {
		return nil, errNoObjects
	}
	return e.objects.Get(ctx, s.object, s.at, s.objectBytes)
}
