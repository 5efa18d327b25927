// Package store is the port between Skystash's engines and the database that
// keeps their items.
//
// An item is addressed by a [Key]: a partition and, inside it, a sort key. Both
// are binary safe. An item carries named, typed attributes ([Attrs]). Items of
// one partition can be read in the order of their sort keys ([Query]); single
// items are read with strong consistency ([Store.Get]), several of them either
// independently or as one snapshot ([Store.GetMany]).
//
// Writes are [Op] values: puts, updates, deletes and checks, each with a
// condition. [Store.Apply] carries out one; [Store.Commit] carries out many,
// all or nothing. The vocabulary is deliberately the part of DynamoDB's
// expression language that can be evaluated exactly elsewhere, because a write
// that needs no read before it is what makes a DynamoDB design cheap.
//
// There are two implementations, pkg/store/dynamo (Amazon DynamoDB) and
// pkg/store/embedded (a storage engine in one local folder), and one
// conformance suite, pkg/store/storetest, that both pass.
//
// # Expiry
//
// The attribute [TTLAttr] (an integer, Unix seconds) only says when an item may
// be reclaimed. A store may delete the item at any later time, or never; an
// item past its time may still be read, queried and counted. Whoever needs exact
// expiry keeps its own attribute and checks it.
//
// # Failures
//
// A failed condition is a [*ConditionError] and carries the item as it was
// found, so that the failed write doubles as a read. Throttling and transaction
// conflicts are retried inside the deadline of the context and then surface as
// [ErrThrottled] and [ErrConflict]: nothing was written. [ErrUnknownOutcome]
// means that a write may or may not have been applied; a store never repeats
// such a write by itself, except where the repetition is known to be harmless
// (reads, and Commit of several operations, which carries an idempotency token).
//
// # Contention
//
// Whoever reads, decides and writes on a condition uses [Retry], the one policy for losing against
// others, and in one process [Locks], so that callers queue up instead. Package slow is a store with
// DynamoDB's latency, over which tests see what contention costs.
package store
