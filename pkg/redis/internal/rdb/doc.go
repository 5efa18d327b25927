// Package rdb reads and writes the payloads of DUMP and RESTORE, which carry one value
// in the format of Redis's snapshots, so that values move between Redis and Skystash
// (https://redis.io/docs/latest/commands/dump/).
//
// A payload is
//
//	1 byte    type of the value and how it is encoded
//	...       the value
//	2 bytes   version of the format, little-endian
//	8 bytes   CRC-64 (Jones) of everything before, little-endian
//
// [Dump] uses the plain encodings, which every Redis since 4.0 restores. Only a hash
// with expiring fields needs the format of Redis 7.4, a JSON document the module, and a stream the format of 7.0, or of 7.2
// if it has consumers that have asked in vain. [Load] reads what Redis 6.0 to
// 8.2 writes for strings, lists, sets, hashes, sorted sets and streams, packed encodings (ziplist,
// listpack, intset, quicklist) and compression included, and the documents of RedisJSON 2. It reads no
// values of other modules.
//
// Payloads come from clients. Load checks every length before it believes it, refuses
// what would decode to more than 128 MiB, and refuses duplicates and empty
// collections, as Redis does.
package rdb
