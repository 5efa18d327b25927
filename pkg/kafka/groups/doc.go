// Package groups is the state machine of consumer groups: who is a member, which partitions a member
// has, and which commits of offsets count. It reads and writes nothing, and the caller passes the time.
// Package kafka stores what it decides.
//
// # Groups that we assign
//
// The members of such a group are instances of the REST API. One writer at a time, the leader, changes
// who they are:
//
//  1. An instance asks to join ([Ask]) or to leave.
//  2. The leader reads all members and what they ask for, and makes a [Plan]: who is a member afterwards,
//     and which partitions each of them gets. Partitions are assigned by range, as Kafka's default does it.
//  3. The leader raises the group's generation.
//  4. It fences the members that lose or get something. A fenced member cannot move its positions on, so
//     what it is known to have received stands still.
//  5. It moves the partitions in the blocks of offsets ([Block.Move]). What the old owner has received is
//     committed, if that owner commits automatically, and the new owner's claim takes the place of the old one.
//  6. It gives the members their new state ([Plan.Settle]), which ends the fence.
//
// A partition that moves from a member to another one is asked back first, if the member may still be busy with its
// last answer: it has messages of the partition, and has not called since ([Plan.Assign]). The member keeps the partition
// and is told so ([Member.Back]). Its next call gives it up: that is a reason for another plan. If it does not call, the
// partition is taken after its session timeout, at most [AskBack]. So an instance gets to commit what it was given, and in
// the ordinary case nobody else is given the same.
//
// If a leader dies, the next one makes a new plan from what it finds. Members that are still fenced are
// part of that plan. If a leader was only paused, the generation, which grows, decides: its later writes
// fail.
//
// # Offsets
//
// Committed offsets are kept in blocks of [BlockPartitions] partitions. A block is one item of the store, so
// each of its writes is atomic. The claim of a partition says which member may commit, since which
// generation. The floor of a block is the greatest generation that has changed a claim of it: nobody with
// an older generation may do so any more. So a commit of a member that has lost its partition either comes
// before the new owner is told where to start, or it is refused.
//
// # Groups that clients assign
//
// A [Classic] is the state of a group of Kafka's classic protocol: members join, one of them assigns the
// partitions, and all of them fetch their part.
//
// # Groups of the consumer protocol
//
// A [Consumers] is a whole group of KIP-848. Whenever its members, what they read, or the topics change, it gets a new epoch and a target: who is to
// have what. With its heartbeats each member comes nearer to the target ([Consumers.Beat]). What it is not to have it is asked to
// give back, and keeps until it says that it has; then it has come to the target's epoch, and gets what nobody else holds. So no
// partition is held by two, whoever dies or hears nothing, and members that keep what they have never stop.
package groups
