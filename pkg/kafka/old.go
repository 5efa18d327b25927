package kafka

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// Builds before groups had items of their own kept all of a group in one item. Who meets such an item
// converts it: first the committed offsets become blocks, then the group's item is written anew, on the
// condition that nobody has written it meanwhile. The blocks have the old item's write id in their keys,
// so those of a conversion that came too late belong to no group. Instances join again.

// Attributes of an old item.
const (
	oldMembers   = "m" // JSON, perhaps compressed
	oldVersion   = "v" // id of the last write
	oldPosition  = "o" // with a partition's name: the offset to give out next
	oldConfirmed = "k" // the position before the last answer, if the instance has not called since
	oldCommitted = "c"
	oldKnown     = "n" // with a topic's name: its id in base 36, a dot, and its partitions
)

// oldAssigned is a run of partitions of a topic, in an old item.
type oldAssigned struct {
	Topic int64 `json:"i"` // id
	From  int   `json:"f"`
	To    int   `json:"t"` // exclusive
}

// oldMember is an instance in an old item.
type oldMember struct {
	Name     string                 `json:"n"`
	Assigned map[string]oldAssigned `json:"p"` // by topic
}

// decodeOldMembers reads the members of an old item. A text that begins with '[' is not compressed.
func decodeOldMembers(text string) (members []oldMember, err error) {
	if text == "" {
		return nil, nil
	}
	var from io.Reader = strings.NewReader(text)
	if text[0] == 1 {
		from = flate.NewReader(bytes.NewReader([]byte(text[1:])))
	}
	err = json.NewDecoder(from).Decode(&members)
	return members, err
}

// convert makes the new items of a group that an old item has. The caller reads the group again.
func (e *Engine) convert(ctx context.Context, g *groupItem) error {
	version := g.attrs.Get(oldVersion)
	next := &groupItem{cluster: g.cluster, name: g.name, attrs: g.attrs.With(groupIncarnation, version)}
	offsets, err := oldOffsets(g.attrs)
	if err != nil {
		return fmt.Errorf("converting group %s: %w", g.name, err)
	}
	for key, b := range offsets {
		attrs := []store.Attr{{Name: blockCommitted, Value: store.Int(e.nowMs())}, {Name: blockWrite, Value: store.Bytes(writeID())}}
		for p, o := range b {
			attrs = append(attrs, store.Attr{Name: blockOffset + strconv.Itoa(p), Value: store.Int(o)})
		}
		put := store.Put(blockKey(next, key), store.NewAttrs(attrs...), store.Absent(blockWrite))
		err := e.repeat(ctx, func() error { _, err := e.store.Apply(ctx, put); return err })
		if _, ok := unmet(err); err != nil && !ok { // else another one converts the same
			return fmt.Errorf("converting group %s: %w", g.name, err)
		}
	}
	known := map[string]groups.Topic{}
	for _, a := range g.attrs {
		if topic, ok := strings.CutPrefix(a.Name, oldKnown); ok && topic != "" {
			id, partitions, _ := strings.Cut(a.Value.Str(), ".")
			number, err := strconv.ParseInt(id, 36, 64)
			n, err2 := strconv.Atoi(partitions)
			if err == nil && err2 == nil {
				known[topic] = groups.Topic{ID: number, Partitions: n}
			}
		}
	}
	attrs := []store.Attr{
		{Name: groupForm, Value: store.Bytes(formItems)},
		{Name: groupIncarnation, Value: version},
		{Name: groupGeneration, Value: store.Int(g.attrs.Get(groupGeneration).Num())},
		{Name: groupUsed, Value: store.Int(e.nowMs())},
		{Name: groupKnown, Value: encodeKnown(known)},
	}
	// Who has asked to join meanwhile has counted that, and may have taken the lease.
	cond := store.And{store.Same(oldVersion, version)}
	for _, name := range []string{groupWant, groupLease} {
		cond = append(cond, store.Same(name, g.attrs.Get(name)))
		attrs = append(attrs, store.Attr{Name: name, Value: g.attrs.Get(name)})
	}
	_, err = e.store.Apply(ctx, store.Put(groupKey(g.cluster, g.name), store.NewAttrs(attrs...), cond))
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnknownOutcome) {
		return nil // it is read again
	}
	if err != nil {
		return fmt.Errorf("converting group %s: %w", g.name, err)
	}
	return nil
}

// oldOffsets are the committed offsets of an old item. Where there is none, the offset is the position up
// to which an instance is known to have had its messages: it goes on there.
func oldOffsets(attrs store.Attrs) (map[groups.BlockKey]map[int]int64, error) {
	out := map[groups.BlockKey]map[int]int64{}
	set := func(topic int64, partition int, offset int64) {
		key := groups.BlockOf(topic, partition)
		if out[key] == nil {
			out[key] = map[int]int64{}
		}
		out[key][partition] = offset
	}
	members, err := decodeOldMembers(attrs.Get(oldMembers).Str())
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		for _, a := range m.Assigned {
			for p := a.From; p < a.To; p++ {
				name := strconv.FormatInt(a.Topic, 36) + "." + strconv.Itoa(p)
				at := attrs.Get(oldConfirmed + name)
				if at.IsZero() {
					at = attrs.Get(oldPosition + name)
				}
				if !at.IsZero() && at.Num() >= 0 {
					set(a.Topic, p, at.Num())
				}
			}
		}
	}
	for _, a := range attrs {
		topic, partition, ok := strings.Cut(strings.TrimPrefix(a.Name, oldCommitted), ".")
		if !ok || !strings.HasPrefix(a.Name, oldCommitted) {
			continue
		}
		id, err := strconv.ParseInt(topic, 36, 64)
		n, err2 := strconv.Atoi(partition)
		if err == nil && err2 == nil {
			set(id, n, a.Value.Num())
		}
	}
	return out, nil
}
