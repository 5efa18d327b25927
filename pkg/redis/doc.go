// Package redis is the Redis engine: commands over a [store.Store]. It knows
// neither HTTP nor any wire protocol nor AWS; replies are written to a
// [resp.Writer].
//
// It stands on two floors. Package keyspace has the keys: transactions, commits, and a file for each type. Package command
// has the table of commands, which work on keys. Packages pubsub (the messages of channels), acl (users) and scripts stand
// on both and have commands of their own. Here is what a process does with them: databases and their records, pipelines
// and transactions of several commands, blocking, read regions.
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
// As a transaction ([keyspace.Txn]): the keys are loaded, the command works on typed
// views of them that buffer its writes, and everything is committed at once on the condition that no key has changed
// since. On a conflict it runs again. MULTI/EXEC is the same with more commands inside, and so is a Lua
// script: what it calls runs in the transaction of the EVAL. A script that fails leaves nothing that it wrote.
//
// # Items
//
// Those of keys are in package keyspace; of messages, users and scripts in packages pubsub, acl and scripts. The others:
//
//	item      partition              sort key                 attributes
//	revoked   'd' db                 'r' page                 l, x: revoked credentials that do not fit the record, see package revoked
//	deleted   'd' db                 'x'                      those of the record: the database is being deleted
//
// # Keyspace events
//
// The database's record says which events are told of. While there are none, nothing here costs anything. Otherwise no command runs as a
// blind write: its transaction notes what happens to which key, and when it has committed, the events are
// appended to log 0, all of a commit by one write, if anybody has subscribed to them (one call, of a read unit for each channel). So
// events of a database are in one order. An event is told of once at most: what a process that dies has not sent is lost.
//
// A key that has expired is told of by whoever deletes it: any command that comes upon it, also one that only reads, and engines that have
// subscribers to such events. These look once a second at what is due among the notes that were left with each expiry.
//
// # Connections
//
// The engine knows no connections, but what belongs to one is in its command table, so that COMMAND, access rules and
// metering know it: see cmd_session.go. A server of connections (package wire) asks NatureOf what to do with a command, queues what
// Check finds valid, and passes a [Caller] along with the context.
//
// Blocking commands stand in line for their keys: see waiters. What other engines write is noticed by one look for all keys
// that are waited for in a database: see lookout, and quiet for when nothing happens. Processes that stay tell each other of writes besides, see [Neighbours].
//
// # Access control
//
// A caller's [Access] bounds what it may do, by rules in the words of ACL SETUSER: commands and
// categories, key patterns for reading and writing, channel patterns. Every command is checked by it in one place,
// wherever it comes from. Rules come from a token or from a user of the database; users are items beside the
// database's record, with hashes of their passwords, and may be cached for Config.RecordTTL. A user's rules are bounded
// by those of the credential, or the user, that made it, and it ends with its maker: see package acl.
//
// # The record of a database
//
// An engine needs a database's record for each command: it says where keys are, and which credentials
// were taken back. It may be up to Config.RecordTTL old. The age counts from before the read, by the
// wall clock (package fresh), so that FLUSHDB and revocations hold their time on an instance whose
// store answers late, and on one that was frozen. A record that is too old is read in one call with
// the keys that the request reads first, see [Engine.Ahead]: an instance that was idle answers a GET
// after one round trip. A write waits for the record, for it must not begin before it is known that
// the caller may write.
//
// # Read regions
//
// With Config.Region, an engine is one of a read region: the store that is written to is in the primary region,
// far away, and the region has a replica of it, which DynamoDB fills item by item, some time after each write, in
// an order of its own (a global table with asynchronous replication; all writes go to one region, so an item's
// states arrive in their order). ReadReplica answers from the replica what it can, everything else goes to the
// primary region.
//
// How far the replica is behind cannot be bounded, and since items arrive in any order no heartbeat shows what has
// arrived. Clients cannot tell what they know, either: the official one sends the token of the last answer but
// one. So the region itself remembers what it has let anybody know, in a table of marks that is not replicated and
// is read with strong consistency:
//
//	mark      'b' db 0x00 sort key of head   'b'              n (write id), v (the head's version), x
//
// A mark says: of this key, somebody knows a state that the replica may not have. Whatever passes through the
// region's engines marks heads before it is answered: a write marks the heads it has changed, a read in the
// primary region those whose version there is not the replica's, and notes that version. A read of the replica
// looks for the mark first, then at the replica's head: if there is a mark, the versions must be equal. A mark
// goes when a read in the primary region finds that the replica has caught up. That a key is gone in both proves
// nothing, for it may never have arrived: such marks stay. All of them count for a day, so this is the bound on
// how far the replica may be behind for what follows to hold.
//
// The promise: a command sent to a read region sees each key at least as new as whatever any command that was
// answered before, through the same region, has written or seen of it. Hence a client reads its own writes and
// never goes back, with or without sync tokens. What is answered from the replica is a state that the key really
// had, perhaps no longer has; states of different keys may be of different moments. What a command tells of keys
// that it does not name (SCAN, KEYS, RANDOMKEY, DBSIZE) and what Pub/Sub tells is not included. FLUSHDB is
// answered when the replica has it too, and is refused in a transaction or script there. Everything that is not
// answered from the replica has the guarantees below.
//
// From the replica are answered commands that only read one key, whose value is in the key's head: a string of up
// to 350 KiB, a collection of up to about 4 KiB; so no value is ever put together of items of different states. Of
// a pipeline all commands or none are. Transactions, scripts, blocking commands, those of several keys, and all
// while the region knows of a MONITOR, go to the primary region. The database's record is read with each of them,
// so a flush or a revocation counts from the moment it arrives; besides, each instance asks the primary region for
// it once a minute, so a revoked credential reads for no longer than that, however late the replica is.
//
// Cost: a read from the replica takes two calls in the region and three read units (mark, record, head; a pipeline
// reads the record once), all strongly consistent: at half the price, reads could go back. A write takes one write
// unit for the mark besides. A read in the primary region takes, for each key, three units in the region besides
// (mark, record, head), and a write unit where the replica is behind. DynamoDB charges each write of the primary
// region once more for each replica. An engine without Config.Region does nothing of all this.
//
// # Budget
//
// A request is bounded by its [Budget]. Work is counted where it happens, never by commands: see package keyspace.
// A script's steps and the memory of its values count as well. Between two looks at the context of the request lie
// about 4 ms of work, so a request whose client has gone, or whose deadline is near, ends soon.
//
// At the same looks, long requests take turns: one that has worked for about a millisecond needs one of Config.Turns,
// and passes it on every 4 ms of work if others wait. Turns go round robin over accounts, and over the databases of
// each. A database that does not know its account counts as one. One processor is left to short requests, which wait for
// nobody. So one account cannot slow another's GET down, whatever it runs, from however many connections and in however
// many databases. If the requests of an account hold more memory together than four may, those that came first end first.
//
// # Guarantees
//
// Every command, every MULTI/EXEC and every script is atomic and linearizable, also across
// engine instances that share a store. Exceptions: FLUSHDB, SCRIPT FLUSH and changes of function libraries take effect on all
// instances at one clock time (they differ by their clock skew); a single command
// that adds or removes more than about 90 elements of an existing spread
// collection, or deletes more than about 100 keys, is carried out in several atomic steps (but not one that
// changes more than about 95 pages of a stream at once, which is refused); the SCAN family guarantees what Redis guarantees.
// All subscribers of a channel see its messages in one order, once, and a message that was
// published after Subscribe had returned reaches the subscriber.
// Expiry is exact to the millisecond of the instance's clock.
package redis
