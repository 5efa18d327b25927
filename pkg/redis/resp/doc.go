// Package resp builds and reads Redis replies in the Redis serialization
// protocol (https://redis.io/docs/latest/develop/reference/protocol-spec/).
//
// The engine writes every reply once, as RESP bytes, by appending to a
// [Writer]; there is no tree of reply values. It uses the richer types of RESP3
// (maps, sets, doubles, booleans, one null) where a command has them. Whoever
// sends the reply converts it in one pass: to RESP2 or to JSON here, to Lua
// values in the script package.
package resp
