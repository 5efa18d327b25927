// Package redis is the Redis engine: commands over a [store.Store]. It knows
// neither HTTP nor any wire protocol nor AWS; replies are written to a
// [resp.Writer].
//
// # Concepts
//
// An [Engine] serves any number of databases. A command runs in one of two ways.
//
// Directly: a blind write of one key (SET, INCR, HSET, LPUSH ...) is one
// conditional update of one item, with no read before it. If its condition
// fails, the store hands the item back and the command goes on as a transaction
// that has already read its key.
//
// As a transaction ([Txn]): the keys are loaded, the command works on typed
// views of them ([List], [Hash], [Set], [ZSet], [Stream], strings, JSON documents) that buffer its writes,
// and everything is committed at once on the condition that no key has changed
// since. On a conflict it runs again. MULTI/EXEC is the same with more commands inside.
//
// # Items
//
// All keys are binary. H is the 8-byte hash of the user's key or of a member.
//
//	item      partition              sort key                 attributes
//	database  'd' db                 'd'                      see database.go
//	head      'k' db epoch slot      H key                    t w e x b q*, and one of the encodings
//	owner     'e' db generation      0x00                     hp, hs (the head it was moved to, if it was)
//	member    'e' db generation      0x01 H member            v (value or score), e (field expiry)
//	score     'e' db generation      0x02 score member        m (member, if too long for the key)
//	index     'e' db generation      0x03 position            v
//	chunk     'e' db generation      0x04 number              v
//	page      'e' db generation      0x05 log, id             v (entries or pending entries up to the id, see stream_log.go)
//	group     'e' db generation      0x06 name                v (a consumer group)
//	reclaim   'r' shard              due time, generation     d, hp, hs (the head it belonged to), g, a, z
//
// A head's attributes: t type (lower case: inline, upper case: spread), b the id
// of the write that made it, w of the last one since, e expiry (Unix ms), x when DynamoDB may
// reclaim it (seconds), q* traces of recent writes (see trace.go),
// k the user's key where it is too long for the sort key.
// Inline, the value is in the head: v or n (a string or a JSON document's compact text, n if it is
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
// # Guarantees
//
// Every command, and every MULTI/EXEC, is atomic and linearizable, also across
// engine instances that share a store. Exceptions: FLUSHDB takes effect on all
// instances at one clock time (they differ by their clock skew); a single command
// that adds or removes more than about 90 elements of an existing spread
// collection, or deletes more than about 100 keys, is carried out in several atomic steps (but not one that
// changes more than about 95 pages of a stream at once, which is refused); the SCAN family guarantees what Redis guarantees.
// Expiry is exact to the millisecond of the instance's clock.
package redis
