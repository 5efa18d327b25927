// Package keyspace is the keys of databases in a [store.Store]: where they are, what they hold, how they are read and
// written. It knows neither commands nor the engine that runs them. It imports the store, and packages that know nothing
// of keys.
//
// # Concepts
//
// A [Keyspace] is the keys of all databases in a store. They are used in one of two ways.
//
// A [Txn] is a transaction: the heads of keys are loaded, whoever uses it works on typed views of them ([List], [Hash],
// [Set], [ZSet], [Stream], [Document], strings) that buffer what is written, and [Txn.Commit] writes everything at once,
// on the condition that no key has changed since. On a conflict it fails with store.ErrConflict, and all has to be done again
// in another transaction. What it sends besides is in its [Outbox], which takes part in the commit.
//
// A [Blind] is a key that is written without having been read, by one conditional update of its head. Its methods plan such
// writes, [Keyspace.WriteBlindly] makes them. If the condition fails, the store hands the item back, and the [Handover]
// spares the transaction that takes over the read.
//
// A write whose answer was lost is found out about by traces that items keep, see trace.go. Until it is certain that it
// cannot arrive any more, it is a [Doubt], which the transactions that follow look for.
//
// # Types
//
// Each type of values is one implementation of the interface value (value.go), in files of its own: list.go has what is done
// with lists, list_value.go how they are encoded, copied and dumped, list_blind.go the blind writes. A new type is another
// such implementation, a line in decodeValue, and one in Txn.Restore if it is dumped.
//
// # Items
//
// All keys are binary. H is the 8-byte hash of the user's key or of a member.
//
//	item      partition              sort key                 attributes
//	database  'd' db                 'd'                      see record.go
//	head      'k' db epoch slot      H key                    t w e x b q*, and one of the encodings
//	owner     'e' db generation      0x00                     hp, hs (the head it was moved to, if it was)
//	member    'e' db generation      0x01 H member            v or r (value or score), e (field expiry)
//	score     'e' db generation      0x02 score member        m (member, if too long for the key)
//	index     'e' db generation      0x03 position            v or r
//	chunk     'e' db generation      0x04 number              v or r
//	page      'e' db generation      0x05 log, id             v or r (entries or pending entries up to the id, see stream_log.go)
//	group     'e' db generation      0x06 name                v (a consumer group)
//	waited    'w' db                 'n'                      n (how many writes of keys that others wait for, see waited.go)
//	expiry    'x' db                 due time H key           k (the key; only while expired keys are told of, see expiries.go)
//	reclaim   'r' shard              due time, generation     d, hp, hs (the head it belonged to), g, a, z, o, due
//
// A head's attributes: t type (lower case: inline, upper case: spread), b the id
// of the write that made it, w of the last one since, e expiry (Unix ms), x when DynamoDB may
// reclaim it (seconds), q* traces of recent writes and z, when they must not be lost (see trace.go),
// k the user's key where it is too long for the sort key.
// Inline, the value is in the head: v, r or n (a string or a JSON document's compact text, r if it is compressed, n if it is
// a canonical integer), l (a list, c its length), m*/M* one attribute for each member or
// field, y*/Y* the expiry of a hash field. Spread, the head has g, the generation,
// c, the number of elements (bytes of a string), a, a list's first position, and f, when a
// hash's expired fields will be deleted (see reclaim_fields.go);
// the elements are items of the generation's own partition.
// A stream's head has in both encodings d, what is known of it as a whole, c, the number of its entries, i,
// the newest entries, and u, small groups; inline, that is all.
//
// A collection is inline up to about 4 KiB, the size DynamoDB charges as one read
// unit; beyond that, updating one element of an item costs more than an element item of its own.
//
// The hash in front of keys and members gives SCAN, HSCAN, SSCAN and ZSCAN a
// cursor that is a number and needs no state, and spreads the load.
//
// # Compression
//
// Values are compressed where that saves a write unit: strings, JSON documents, elements of spread
// collections and pages of streams. r takes the place of v then: the value's length as a varint,
// and the value compressed with zstd (package compress). No value below about 900 bytes is. A JSON
// text of 10 KB takes two or three write units instead of eleven.
//
// A string longer than 350 KiB is compressed chunk by chunk. Any other value that is longer than an
// item, 400 KiB, is not compressed. Values of older builds stay as they are until they are written
// again. APPEND, SETRANGE and SETBIT write the whole value, so they compress it again: that takes
// less than a millisecond for 100 KB, and costs less than the units that it saves.
//
// STRLEN, HSTRLEN and MEMORY USAGE do not decompress the value, nor do commands that expire, rename
// or copy it. GETRANGE and GETBIT of a string in chunks decompress the chunks that they need.
// Lengths, sizes and limits are those of the value itself. Request units and the size of a
// database, in usage and on the bill, go by what is stored.
//
// # Garbage
//
// Elements of a generation that no head names any more are deleted later. The write that
// abandons them, or gives their head an expiry, leaves a note together with it. [Keyspace.Reclaim] does what is due of all
// notes, [Keyspace.ReclaimChange] what one record of the table's stream is about: a new note of garbage, or the
// end of an expired head. Both look at what is in the store by then, so that they may run anywhere, several times and at once.
// Heads of inline values are left to the store's own expiry.
//
// # Budget
//
// Work is counted where it happens: when a key's head is read (Txn.add), when elements are read (query, count, elements),
// when elements in memory are looked at (members, List), when text is parsed, when items are written. [Txn.Spend] counts
// work, [Txn.Hold] what stays in memory until the transaction ends. Both let the transaction fail as a read error does:
// nothing more is read, nothing is written. What a request has left of its [Budget] is an [Allowance], which the members
// of a pipeline share.
package keyspace
