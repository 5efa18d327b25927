// Package wire serves Redis's own protocol, RESP2 and RESP3
// (https://redis.io/docs/latest/develop/reference/protocol-spec/), over TCP and TLS, for the clients that there are: ioredis,
// node-redis, redis-py, go-redis, redis-cli, Lettuce, Jedis and what is built on them.
//
// The engine (pkg/redis) carries out the commands. What this package adds is the connection: who uses it, which protocol it
// speaks, its transaction, its watched keys and its subscriptions. The engine's command table says which commands belong
// to a connection; the table in handlers.go says how each of them is carried out here.
//
// # Connections
//
// One goroutine reads what has arrived, up to 1,000 commands or 64 KiB of them, carries it out, and sends the replies in one
// write. While it does so it reads nothing more, so a client that sends and does not read is held up by TCP. Replies of more than a
// megabyte are sent before the next command is carried out. What has arrived goes to the engine as a pipeline, so that neighbouring commands that
// read share one call of the store.
//
// A connection that is idle holds no buffers: they come from pools when something has arrived, and go back when the replies were
// sent. 10,000 idle clients take 115 MB, see integration/bench/REDIS-WIRE.md.
//
// A connection has two more goroutines at most: one that sends messages to a subscriber, and one that reads from the client
// while a command waits, to notice that it has gone.
//
// # Memory
//
// What a connection holds is counted (memory.go): requests that have not arrived whole, commands that wait for EXEC, replies and messages
// that were not sent. Redis's limits of output buffers close clients that do not read, and if all connections hold too much together, those that hold
// most are closed, of the account that holds most. An account's connections may hold three quarters of that, and those before a login an
// eighth: what is beyond it is refused, in a transaction by an error, otherwise by an error and the end of the connection.
//
// # Logins
//
// A connection must log in within 30 seconds, by AUTH or HELLO. The password is a token, as in REST, with any user name or
// none; or the token of a user of the database; or the password of such a user, whose name then has the database in
// front: "orders/alice". A connection is one of one database, number 0. Before each batch the login is checked
// against the database's record, which may be Config.RecordTTL of the engine old; every 5 seconds so are all connections, whatever they wait
// for. One whose credential is not good any more is closed, and so is one of a user who may not receive any more what it
// receives. Another login may follow. While the connection receives anything, it must be one that may ask for the same.
//
// # Transactions
//
// Commands between MULTI and EXEC are checked when they are queued, and carried out by EXEC in one transaction of the
// engine, on the condition that no watched key has changed (see redis.Watched for what that means). Replies are sent when it has
// committed. Then the commands of the connection itself are carried out, such as SUBSCRIBE. A transaction has at most 100 keys.
//
// # What is different from Redis
//
// There is one database, number 0. After SELECT of another one, commands about keys are refused until SELECT 0. Before a login every command
// but AUTH, HELLO, RESET and QUIT answers NOAUTH, even one that there is not. CLIENT LIST and KILL know the connections of
// the caller's database in this process. Clients are never told of changed keys: CLIENT TRACKING is refused. HELLO and AUTH
// are refused in a transaction. DEBUG SLEEP holds up its connection only. CONFIG SET accepts the parameters by which Redis chooses how
// it keeps values in memory, without effect.
package wire
