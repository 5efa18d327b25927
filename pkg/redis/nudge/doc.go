// Package nudge lets processes that serve the same databases wake each other's blocked commands.
//
// A command that waits for a key is woken at once by a write in its own process. Of writes in other processes a process
// learns by looking at the store, and once nothing has happened for a while it looks seldom, for each look
// costs: ten looks a second at one item are 5 to 10 read units a second, 35 dollars a month for a worker that has nothing to do. So
// processes that stay, such as the servers of Redis's own protocol, send each other datagrams. These cost nothing, and take a
// millisecond. DynamoDB Streams were considered: reading a stream costs a call for each shard, four times a second at most,
// and what it brings is half a second old.
//
// # Protocol
//
// A process is a [Mesh]. It registers its address in the store, for a minute and a half, and reads the addresses of the others:
//
//	secret    'n0'    's'       v (32 random bytes)
//	process   'n0'    'g' id    a (its address), x
//
// It tells the others for which keys commands wait with it, at once for a new key, then every three seconds. They remember that for ten
// seconds. Who writes such a key tells those who wait. While nobody waits elsewhere, a write costs one atomic load.
//
// A datagram is a kind (hello, await, written), the sender's id, the time, up to 70 digests of keys, and a code (HMAC-SHA256) of all that under
// the secret, which only those know who can read the store. Digests are made with the secret too, so a datagram
// shows no names. Copies of old datagrams are harmless: all that a datagram can cause is a read.
//
// Nothing depends on a datagram's arrival. One that is lost, or a process that cannot be reached, leaves what there was
// before: the looks at the store.
//
// # Cost
//
// A process writes its registration every 30 seconds. It reads those of the others every 30 seconds while commands wait with it. That is a
// fifteenth of a request unit a second. A process that is new greets the others, so they need not read to know it.
package nudge
