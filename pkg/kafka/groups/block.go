package groups

import "maps"

// BlockPartitions is the number of partitions whose offsets are in one block.
const BlockPartitions = 16

// Block is what a group has committed in up to BlockPartitions neighbouring partitions of a topic.
type Block struct {
	Floor      int64 // generation that has changed a claim last
	CommitTime int64 // of the newest commit, Unix ms
	Offsets    map[int]Offset
}

// Offset is what a group has committed in a partition.
type Offset struct {
	Claim     string // of the member that may commit; "": none has the partition
	Committed int64  // None: nothing is committed
	Epoch     int32  // of the leader, as a classic member has committed it; None: not known
	Metadata  string // of a classic member
}

// At is what is committed in a partition.
func (b *Block) At(partition int) Offset {
	if o, ok := b.Offsets[partition]; ok {
		return o
	}
	return Offset{Committed: None, Epoch: None}
}

// Move is a change of the owner of a partition.
type Move struct {
	Partition int
	From      string // claim of the old owner; "": there was none
	Received  int64  // what the old owner is known to have had and wants committed; None: nothing
	To        string // claim of the new owner; "": there is none
}

// Move changes the owners of partitions, in a generation. It reports false if a later generation has
// done so already: then nothing must be written.
func (b *Block) Move(moves []Move, generation, now int64) (*Block, bool) {
	if b.Floor > generation {
		return nil, false
	}
	next := &Block{Floor: generation, CommitTime: b.CommitTime, Offsets: maps.Clone(b.Offsets)}
	if next.Offsets == nil {
		next.Offsets = map[int]Offset{}
	}
	for _, m := range moves {
		o := b.At(m.Partition)
		if m.From != "" && o.Claim == m.From && m.Received > o.Committed {
			o.Committed, next.CommitTime = m.Received, now
		}
		if m.To != "" || o.Claim == m.From { // else another one has it, who keeps it
			o.Claim = m.To
		}
		next.Offsets[m.Partition] = o
	}
	return next, true
}

// MayTake reports whether a member of the consumer protocol may put its claim into the place of what there is: a lesser claim, or none. The
// claim's generation must be that of the floor, or a later one.
func (b *Block) MayTake(partition int, claim string, generation int64) bool {
	return b.At(partition).Claim <= claim && b.Floor <= generation
}

// MayCommit reports whether a member may commit a partition: its own, by its claim, or with claim ""
// one that nobody has. For the latter, generation is the group's when the committer was known to be a
// member.
func (b *Block) MayCommit(partition int, claim string, generation int64) bool {
	held := b.At(partition).Claim
	if claim != "" {
		return held == claim
	}
	return held == "" && b.Floor <= generation
}
