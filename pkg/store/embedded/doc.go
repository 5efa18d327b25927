// Package embedded implements the port pkg/store on a storage engine inside
// the process (Pebble, a log-structured merge tree): one folder, one process,
// no account and no network. It is what the local server keeps its data in, and,
// with [Options.InMemory], a fast store for tests.
//
// # Guarantees
//
//   - A write that has returned survives the death of the process and of the
//     machine: it has been written to the log and fsynced. Concurrent writers
//     share fsyncs (see syncer), also those of one hot item.
//   - A read never shows what a crash could still take back: whoever meets an
//     item whose last write is not on disk yet waits for that write's fsync.
//   - All operations are linearizable; a Commit and a snapshot are atomic.
//   - A folder is used by one Store at a time; a second one gets [ErrLocked].
//   - [Options.SyncEvery] trades the machine's death in the first two for speed; the process's
//     death still loses nothing.
//
// What it does not do: nothing is ever throttled and there are no transaction
// conflicts, because operations on the same items wait for each other.
//
// Small items that were written or read lately are read without asking the engine, see recent. They take 72 MB at most.
//
// # Disk trouble
//
// While the disk is full, writes are refused with store.ErrUnavailable and those
// already under way wait; both go on by themselves once there is room again. Any
// other failure to write the log is final: from then on every call answers
// store.ErrUnavailable, and only a restart, which replays the log, tells what was
// kept. Writes under way at that moment end with store.ErrUnknownOutcome.
//
// # Layout
//
//	key                                        value
//	'd' escape(partition) 00 01 sort           the attributes, see encodeAttrs
//	'x' time(8) escape(partition) 00 01 sort   none: index of the items with a TTLAttr
//	'm' name                                   facts on the store itself
//
// escape replaces each byte 00 by 00 FF, so that whatever the bytes of two
// partitions are, neither's items lie among the other's, and inside a partition
// keys are ordered as their sort keys are. time is the TTLAttr, big endian, its
// sign bit flipped to keep the order. An index entry is only a hint where to
// look: it may point to an item that has gone or expires at another time.
package embedded
