// Package kafka is the Kafka engine: topics, partitions and consumer groups over a
// [store.Store] and a stream ([ingest.Stream]). It knows neither HTTP nor Kafka's
// wire protocol nor AWS.
//
// # The way of a message
//
//  1. Produce. A call's messages for a partition become a record batch. Their
//     offsets are reserved by one atomic add on the partition's head; then the batch
//     is put into the one stream of all topics, with the partition as its key. The
//     call is answered when the stream has it. A producer gives up a fixed time
//     after it began (Config.ProduceDeadline).
//  2. Materialize. Whoever reads the stream appends the batches to the partition's
//     log, neighbours merged into one segment, and then moves the watermark.
//  3. Fetch and Consume read segments. They never read the stream, except that a call
//     that finds offsets reserved above the watermark, and waits, hurries: it reads the
//     stream's end for its partitions and materializes what it finds.
//
// # Guarantees
//
//   - A message that was accepted is never lost, and read under the offset that
//     was answered, in the order of offsets.
//   - Offsets are dense but for voids: offsets that were reserved and not used.
//   - Whoever has been answered can read the message at once, within the time that
//     a read waits.
//   - A produce that failed may have happened, once for each attempt.
//
// # Why nothing is lost, doubled or swapped
//
// A log is a chain: each segment begins where the one before ends, and the place of
// a segment in the store is its first offset. It is written on the condition that
// there is none yet. So of any number of materializers one decides what comes
// next, whatever the stream delivers twice, late or out of order, and whoever dies
// in between: the watermark only says how far the chain is known to be complete.
//
// A batch that comes before its predecessor waits in the store (pending). A
// predecessor that never comes is a gap, which a void closes: a segment without
// data, written on the same condition, so that exactly one of data and void wins. A
// materializer that sees the stream in order may do so when something reserved
// after the gap is so old that the gap's producer has given up (ProduceDeadline and
// ClockMargin), and the stream has got past that moment: what was accepted for the
// gap would have come before. If nothing follows in an idle partition, a reader
// that waits puts a tick into the stream.
//
// A reader need not wait that long. When it has seen the watermark stand still for three seconds, at a gap, it puts a
// fence behind what was reserved when it saw the gap first: it writes the offset into the head, and then puts a
// tick into the stream. A materializer that meets this tick in order makes void what is missing below the fence. What
// was put before the tick is not missing. So a producer may be answered if its put has returned before the tick was put, and
// there are two ways to know that. One is that reservation and put took less than two seconds: the fence was
// written at least three seconds after the reservation. The other, for whoever took longer, is
// to read the head after the put: if it has no fence above the reservation, the fence and its tick are yet to
// come. Else the producer is told that the outcome is unknown, and the batch may be in the log or not. Both times are measured by
// one process each, so clocks need not agree. Whoever puts a batch again under the same offsets waits
// until the log shows what has become of them.
//
// # Batches of clients
//
// Append takes batches as clients of Kafka's protocol have encoded them, and FetchBatches gives out what is
// stored, of whichever producer. Batches of an idempotent producer have numbers. The write that
// reserves offsets notes the number, so that a batch that comes again gets the answer that it got before.
// Reserved is not written: see producers.go for why such an answer is always true.
//
// Voids are never given out: some clients crash or spin when they meet an empty batch. The end of a log,
// for clients of the protocol, is the end of its data.
//
// # Items
//
//	item      partition                      sort key              attributes
//	cluster   'c' cluster                    'c'                   name, created (deleted), max, parts, last, pid, credgen, revoked, revpages
//	revoked   'c' cluster                    'v' page              l, x: credentials, see package revoked
//	password  'c' cluster                    'k' credential        salt, list, x: see Passwords
//	topic     'c' cluster                    't' name              id, parts, ret, size, max, compact, created, set
//	group     'c' cluster                    'g' group             n: instances, at; says that there is such a group
//	gateways  "gateways"                     "gateways"             i* u* a* for slots, see gateways.go
//	debt      'c' cluster                    'r' topic id          parts: the topic's logs are to be deleted
//	clusters  "clusters"                     cluster               none
//	news      'c' cluster                    'n' topic id          c* for partitions: counters, see newsOf
//	head      'l' cluster/topic/partition    'h'                   n w t q r b z k ke nw os f fn g mg mm y yc yp, see partition.go; p.* pe, see producers.go
//	segment   'l' cluster/topic/partition    's' base(8)           n r z a, d (batches), c (pieces) or o, l and i (an object), e and x (expiry), k v (compaction), f
//	piece     'l' cluster/topic/partition    'd' base(8) [v] no(2) d, e, x: part of a batch larger than an item
//	pending   'l' cluster/topic/partition    'q' base(8) no(2)     d: a record of the stream that waits
//	producer  'l' cluster/topic/partition    'p' id                p.* x: an idempotent producer that the head has no room for, see producers.go
//	group     'g' cluster/group              'g'                   m in g n a o r t k d, c* h he ss si, see group.go, classic_room.go, consumer_room.go and consumer_beat.go
//	member    'g' cluster/group              'm' instance          i v g w b j q r k, see group.go
//	classic   'g' cluster/group              'u' member id         b j: a member of Kafka's own protocol, see classic_room.go
//	static    'g' cluster/group              'i' instance id       m: the member that it is
//	part      'g' cluster/group              'a' generation(8) 'm' member id  b: what the leader gave it
//	roster    'g' cluster/group              'a' generation(8) 'r' id         m: the generation's members
//	seen      'g' cluster/group              's' process           t e m: the members that a process has heard of
//	offsets   'g' cluster/group              'c' in(8) topic(8) block(4)  f t v, o* c* e* m* for partitions, see blocks.go
//
// Topics have ids in keys, so that one made anew under an old name is empty.
// # Objects
//
// A segment of Config.ObjectBytes and more has its data in an object (package objects): a write of
// 9 KiB and its storage cost less there than in the database. The object is written first, under a name
// that nobody else uses, and then the segment's item that names it, on the same condition as ever: so of
// several objects for one segment one wins, and nothing of the chain's guarantees changes. The others
// are orphans. Whoever loses deletes its own; sweeps find those of writers that died, a day later. An
// object goes when its segment does.
//
// Segments that are smaller stay in the database until they are old. Sweeps then merge runs of adjacent ones into objects of
// Config.MergeBytes, in place of the first of them. They do so where that costs less than the cheaper storage saves for as long
// as the topic keeps its messages, which is never if it keeps them for less than MinMergeRetention, and not in logs that are bounded by
// size or compacted. Such an object is read by parts: its segment's item says where they are. The segment
// expires when its last message does; as with Kafka's segment.ms, that is a week after the first one at most. See
// merger for why a merge loses nothing, whoever dies or reads meanwhile.
//
// # Retention
//
// Segments expire by DynamoDB's TTL, which costs nothing; when exactly, readers decide: by the time of
// appending and the topic's retention of now, which the head has, and at the latest by e. So a shorter
// retention holds at once. Reclaim deletes what the store would keep longer. If the retention becomes
// longer, Reclaim gives the segments later times, at a write unit for each KiB; segments without a
// time of appending, from before there was one, keep theirs. The head knows the first segment that is
// left, so that a sweep of an unchanged log reads no more than its head.
//
// # Waiting
//
// A process that materializes the stream (Run) tells those who wait in it, and they read nothing
// meanwhile. Elsewhere waiters look: often while something is on its way to a log, and then they also
// hurry. Else ever more seldom, down to once a second, with reads that may be a moment old: at the
// instance's item and at the news of their topics, one item each whatever the partitions. What follows a
// change is a proper look, at the partitions that have changed. That is at most 1.5 read units a second.
//
// # Compaction
//
// The lower part of a compacted log has no key twice. Passes make it longer. Each of them learns the
// last offsets of a bounded number of keys, and goes over the log once; it notes how far it has got,
// and goes on there if it was interrupted. A segment that it changes gets the id of the write, and is
// written only if it has the id that was read, so that of two compactors none undoes the other's
// work. A pass waits until half of the log is new, or seven days. Tombstones stay for a day after
// their first pass. Settings of the topic may say otherwise: min.cleanable.dirty.ratio, max.compaction.lag.ms and
// delete.retention.ms; min.compaction.lag.ms keeps new messages out of passes. A tombstone keeps the date that
// its first pass has given it, as in Kafka (KIP-534), if delete.retention.ms changes later. The last message of a log stays in any case.
//
// # Groups
//
// A group, each of its members and its offsets are items of their own. Package groups says who is a member,
// who has which partition and whose commits count. An instance moves on by a write of its own item alone, on the
// condition that nobody else has written it, so instances do not hinder each other. Of the instances that
// join or leave at once, one leads: it carries out the wishes of all others with one rebalance, see join.go. Positions
// move with each answer and are not the committed offsets, see [Engine.Consume].
//
// Offsets are committed by a conditional write of their block, 16 partitions of a topic. The block says which
// member may commit, so a commit and a rebalance need no transaction: the one that comes second sees the first.
// A group without members keeps its offsets for seven days. A group of an older build, which is one item, is
// converted by whoever meets it first, see old.go.
//
// A group may also be of clients that speak Kafka's own protocol, and assign the partitions themselves ([Engine.JoinGroup]
// and what follows). It has one kind of members at a time; its generations and offsets go on. Any process may serve
// any member at any time: all decisions are conditional writes of the group's item, and a member is dead when no process
// has heard of it for its session. What a process knows of such a group may be a second old.
//
// Or its members use the consumer protocol (KIP-848, [Engine.ConsumerHeartbeat]): they say what they read and what they have, and are told
// step by step what they are to have. All of that is one attribute of the group's item (groups.Consumers), which each step
// replaces by a conditional write. So a step costs a write unit for each KiB of the item, some hundred bytes for a member; heartbeats that change
// nothing write nothing but what is told of the living. Members have claims in the blocks, which grow from one owner of a partition to the next.
// An empty group of one kind may become one of any other. While it has members it may not: nobody changes from the classic to the
// consumer protocol one member at a time, as Kafka allows it.
//
// An instance has one live call, whose id its item has: only that call gives out messages. The
// position before the last answer is kept until the instance calls again. Where an instance expires or
// loses a partition, automatic commits go that far, so an answer that nobody got is given out again.
// [Engine.Poll] is for callers that say which answer they got last.
//
// A partition that is to be another instance's stays with one that is busy with messages of it until that one calls again,
// for its session timeout and half a minute at most. The other one waits meanwhile.
//
// # Limits
//
// One partition takes about 1,000 produce calls a second on DynamoDB, of any
// number of messages, since each writes its head. An instance of a group can make about 1,000
// requests a second, divided by the size of its item in KiB (some bytes for each of its partitions).
//
// A producer that dies between reserving offsets and putting its batch holds up the
// readers of its partition until the gap is closed: three seconds after one of them has met it, and the time until
// the materializer comes by. If nobody waits there, it is closed after ProduceDeadline and ClockMargin (15 seconds)
// if more is produced. A producer that lives, and whose batch
// the stream has refused for certain, closes the gap itself, at once. A process that is the only one
// on its stream closes the gaps of its last run when it starts (CloseGaps).
package kafka
