// Package transfer moves the keys of Redis databases: from server to server, and to and from files. A server is a
// Redis, Upstash or Skystash, which a [Peer] sends commands to.
//
// An [Entry] is a key with its expiry and its value as DUMP answers it. A [Source] gives entries in batches, a [Target]
// takes them, and [Copy] moves them from the one to the other.
//
//	SCAN of a server   [Scan]      asks for DUMP of each key, or reads by type where there is no DUMP or it is too large
//	RDB file           [RDBReader] of Redis 2.6 to 7.4
//	JSON lines         [JSONReader]
//	a server           [Restore]   sends RESTORE, or writes by type what one request has no room for
//	RDB file           [RDBWriter] that Redis 7.0, 7.2 or 7.4 loads
//	JSON lines         [JSONWriter]
//
// # What is guaranteed
//
// A transfer is no snapshot: each value is one that the key had while the transfer ran, whole, and the values of two
// keys may be of different times. Keys that exist from its beginning to its end are in it, those that came or went
// meanwhile may be. Values that are read by type are read in pieces, if they have more than some hundred elements,
// and may be mixtures of what there was meanwhile.
//
// Values, times to live (of keys and of hashes' fields), and streams with groups and what is pending arrive as
// they were. Users, functions, settings, and the numbers of databases are no keys and stay behind.
//
// # Resuming
//
// A Source names the place of each batch. Copy reports a place once all batches before it are written, and a
// source that begins there repeats at most what was under way. A key that has the same value in the target already
// is no conflict, so repeating does no harm.
//
// # JSON lines
//
// One object a line:
//
//	{"key":"k","type":"string","value":"v"}
//	{"key":"k","type":"list","expireAt":1767225600000,"value":["a","b"]}
//	{"key":"k","type":"set","value":["a","b"]}
//	{"key":"k","type":"hash","value":{"f":"v"},"fieldExpireAt":{"f":1767225600000}}
//	{"key":"k","type":"zset","value":[["member",1.5],["last","inf"]]}
//	{"key":"k","type":"json","value":{"any":["document"]}}
//	{"key":"k","type":"stream","value":{"entries":[["1-0","field","value"]],"last":"1-0","removed":"0-0","added":1,
//	  "groups":[{"name":"g","last":"1-0","read":1,"pending":[["1-0","consumer",1767225600000,1]],
//	  "consumers":[["consumer",1767225600000,1767225600000]]}]}}
//
// Times are Unix milliseconds. Of a pending entry there are its consumer, the time of its last delivery and their
// number; of a consumer the time when it asked last, and when it got something last, or -1. With
// "encoding":"base64" all strings but "type", ids and a document are base64: JSON has no way to write bytes
// that are no text.
package transfer
