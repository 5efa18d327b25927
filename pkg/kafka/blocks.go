package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a block of offsets. Those that end in a number are one for each partition.
const (
	blockFloor     = "f" // see groups.Block.Floor
	blockCommitted = "t" // Unix ms: the newest commit
	blockWrite     = "v" // id of the last write
	blockClaim     = "o" // see groups.Claim
	blockOffset    = "c" // committed
	blockEpoch     = "e" // of the leader, committed by a classic member
	blockMetadata  = "m" // committed by a classic member
)

// blockKey is c, the group's incarnation, the topic's id (8 bytes) and the block's number (4).
func blockKey(g *groupItem, key groups.BlockKey) store.Key {
	sort := append([]byte(kindOffsets), g.incarnation()...)
	sort = binary.BigEndian.AppendUint64(sort, uint64(key.Topic))
	return store.Key{Partition: groupPartition(g.cluster, g.name), Sort: string(binary.BigEndian.AppendUint32(sort, uint32(key.Block)))}
}

func blockKeyOf(sort string) (incarnation string, key groups.BlockKey, ok bool) {
	end := len(sort) - 12
	if end < len(kindOffsets) {
		return "", key, false
	}
	key.Topic = int64(binary.BigEndian.Uint64([]byte(sort[end : end+8])))
	key.Block = int(binary.BigEndian.Uint32([]byte(sort[end+8:])))
	return sort[len(kindOffsets):end], key, true
}

func blockOf(key groups.BlockKey, attrs store.Attrs) *groups.Block {
	b := &groups.Block{Floor: attrs.Get(blockFloor).Num(), CommitTime: attrs.Get(blockCommitted).Num(), Offsets: map[int]groups.Offset{}}
	for i := range groups.BlockPartitions {
		p := key.Block*groups.BlockPartitions + i
		id := strconv.Itoa(p)
		o := groups.Offset{Claim: attrs.Get(blockClaim + id).Str(), Committed: groups.None, Epoch: groups.None, Metadata: attrs.Get(blockMetadata + id).Str()}
		if v := attrs.Get(blockOffset + id); !v.IsZero() {
			o.Committed = v.Num()
		}
		if v := attrs.Get(blockEpoch + id); !v.IsZero() {
			o.Epoch = int32(v.Num())
		}
		if o != (groups.Offset{Committed: groups.None, Epoch: groups.None}) {
			b.Offsets[p] = o
		}
	}
	return b
}

// loadBlocks reads all offsets of a group. raw are the items.
func (e *Engine) loadBlocks(ctx context.Context, g *groupItem) (blocks map[groups.BlockKey]*groups.Block, raw map[groups.BlockKey]store.Attrs, err error) {
	blocks, raw = map[groups.BlockKey]*groups.Block{}, map[groups.BlockKey]store.Attrs{}
	if g.attrs == nil {
		return blocks, raw, nil
	}
	prefix := kindOffsets + g.incarnation()
	items, err := e.queryAll(ctx, store.Query{Partition: groupPartition(g.cluster, g.name), From: prefix, To: store.PrefixEnd(prefix)})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the offsets of group %s: %w", g.name, err)
	}
	for _, it := range items {
		if _, key, ok := blockKeyOf(it.Key.Sort); ok {
			blocks[key], raw[key] = blockOf(key, it.Attrs), it.Attrs
		}
	}
	return blocks, raw, nil
}

// errOutdated means that a later rebalance has taken place.
var errOutdated = fmt.Errorf("kafka: a later rebalance of the group has taken place: %w", store.ErrConflict)

// moveBlock gives partitions of a block to other members. attrs is the block as it was read last.
func (e *Engine) moveBlock(ctx context.Context, g *groupItem, key groups.BlockKey, attrs store.Attrs, moves []groups.Move, generation int64) (*groups.Block, error) {
	for {
		was := blockOf(key, attrs)
		next, ok := was.Move(moves, generation, e.nowMs())
		if !ok {
			return nil, errOutdated
		}
		cond := store.And{store.Same(blockFloor, attrs.Get(blockFloor))}
		write := store.Bytes(writeID())
		edits := []store.Edit{store.Set(blockFloor, store.Int(generation)), store.Set(blockWrite, write)}
		if next.CommitTime != was.CommitTime {
			edits = append(edits, store.Set(blockCommitted, store.Int(next.CommitTime)))
		}
		for _, m := range moves {
			id := strconv.Itoa(m.Partition)
			cond = append(cond, store.Same(blockClaim+id, attrs.Get(blockClaim+id)), store.Same(blockOffset+id, attrs.Get(blockOffset+id)))
			o := next.At(m.Partition)
			if o.Claim == "" {
				edits = append(edits, store.Remove(blockClaim+id))
			} else {
				edits = append(edits, store.Set(blockClaim+id, store.Bytes(o.Claim)))
			}
			if o.Committed != was.At(m.Partition).Committed {
				edits = append(edits, store.Set(blockOffset+id, store.Int(o.Committed)))
			}
		}
		_, err := e.store.Apply(ctx, store.Update(blockKey(g, key), cond, edits...))
		ce, changed := unmet(err)
		switch {
		case err == nil:
			return next, nil
		case changed:
			attrs = ce.Old
		case errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnknownOutcome):
			if attrs, err = e.store.Get(ctx, blockKey(g, key)); err != nil {
				return nil, fmt.Errorf("moving partitions of group %s: %w", g.name, err)
			}
		default:
			return nil, fmt.Errorf("moving partitions of group %s: %w", g.name, err)
		}
		if attrs.Get(blockWrite).Equal(write) {
			return next, nil
		}
	}
}

// blockCommit is an offset to be committed in a block.
type blockCommit struct {
	partition  int
	claim      string // of who commits; "": the partition is not its own
	takes      bool   // the claim takes the place of lesser ones
	above      string // claims below it are no members' any more; "": each is
	offset     int64  // None: the offset is taken away
	classic    bool   // with the epoch and the metadata that follow; else those that there are stay
	epoch      int32
	metadata   string
	generation int64 // of the group, when the committer was known to be a member; for partitions without a claim
}

// commitBlock commits offsets of a block. It returns the partitions of those that were refused, because
// their commits are outdated. With ErrUnknownOutcome the others may have been committed.
func (e *Engine) commitBlock(ctx context.Context, g *groupItem, key groups.BlockKey, commits []blockCommit) (refused []int, err error) {
	write := store.Bytes(writeID())
	attempts := e.retry.Begin()
	for len(commits) > 0 {
		var cond store.And
		edits := []store.Edit{store.Set(blockWrite, write), store.Set(blockCommitted, store.Int(e.nowMs()))}
		for _, c := range commits {
			cond = append(cond, c.allowed()...)
			edits = append(edits, c.edits()...)
		}
		_, err := e.store.Apply(ctx, store.Update(blockKey(g, key), cond, edits...))
		ce, changed := unmet(err)
		switch {
		case err == nil:
			return refused, nil
		case changed && ce.Old.Get(blockWrite).Equal(write):
			return refused, nil // it was sent twice on its way, and is there
		case changed:
			b := blockOf(key, ce.Old)
			before := len(commits)
			commits = slices.DeleteFunc(slices.Clone(commits), func(c blockCommit) bool {
				if c.isAllowed(b) {
					return false
				}
				refused = append(refused, c.partition)
				return true
			})
			if len(commits) < before {
				continue
			}
		case errors.Is(err, store.ErrUnknownOutcome):
			// Committing again could undo a commit that has followed.
			now, readErr := e.store.Get(context.WithoutCancel(ctx), blockKey(g, key))
			if readErr == nil && now.Get(blockWrite).Equal(write) {
				return refused, nil
			}
			return refused, fmt.Errorf("committing for group %s: %w", g.name, err)
		case !errors.Is(err, store.ErrConflict):
			return refused, fmt.Errorf("committing for group %s: %w", g.name, err)
		}
		if err := attempts.Wait(ctx, err); err != nil {
			return refused, fmt.Errorf("committing for group %s: %w", g.name, err)
		}
	}
	return refused, nil
}

// isAllowed reports whether a block's claims and floor let the commit through.
func (c blockCommit) isAllowed(b *groups.Block) bool {
	held := b.At(c.partition).Claim
	switch {
	case c.takes:
		return b.MayTake(c.partition, c.claim, c.generation)
	case c.above != "" && held < c.above:
		return b.Floor <= c.generation
	}
	return b.MayCommit(c.partition, c.claim, c.generation)
}

// allowed is isAllowed as a condition.
func (c blockCommit) allowed() store.And {
	held := blockClaim + strconv.Itoa(c.partition)
	floor := store.Or{store.Absent(blockFloor), store.Le(blockFloor, store.Int(c.generation))}
	switch {
	case c.takes:
		return store.And{store.Or{store.Absent(held), store.Le(held, store.Bytes(c.claim))}, floor}
	case c.above != "":
		return store.And{store.Or{store.Absent(held), store.Lt(held, store.Bytes(c.above))}, floor}
	case c.claim != "":
		return store.And{store.Eq(held, store.Bytes(c.claim))}
	}
	return store.And{store.Absent(held), floor}
}

// bygones is blockCommit.above for a group whose members may not claim anything any more: claims of a group of the consumer
// protocol stay where they are when its members go.
func (g *groupItem) bygones() string {
	if !isConsumers(g.attrs) {
		return ""
	}
	return groups.Claim(g.generation()+1, "")
}

// unclaimed is the condition that no member has a partition, in a group without members.
func (g *groupItem) unclaimed(partition int) store.Cond {
	held := blockClaim + strconv.Itoa(partition)
	if above := g.bygones(); above != "" {
		return store.Or{store.Absent(held), store.Lt(held, store.Bytes(above))}
	}
	return store.Absent(held)
}

func (c blockCommit) edits() []store.Edit {
	id := strconv.Itoa(c.partition)
	var edits []store.Edit
	if c.takes {
		edits = append(edits, store.Set(blockClaim+id, store.Bytes(c.claim)))
	}
	if c.offset == groups.None {
		return append(edits, store.Remove(blockOffset+id), store.Remove(blockEpoch+id), store.Remove(blockMetadata+id))
	}
	edits = append(edits, store.Set(blockOffset+id, store.Int(c.offset)))
	if !c.classic {
		return edits
	}
	set := func(name string, v store.Value, there bool) {
		if there {
			edits = append(edits, store.Set(name+id, v))
		} else {
			edits = append(edits, store.Remove(name+id))
		}
	}
	set(blockEpoch, store.Int(int64(c.epoch)), c.epoch != groups.None)
	set(blockMetadata, store.Bytes(c.metadata), c.metadata != "")
	return edits
}
