// Package script runs Lua scripts and function libraries as Redis 7 does, on
// gopher-lua. It knows neither commands nor stores: what redis.call does is up
// to the [Host] it is given, and replies go to and come from it as the bytes of
// package resp.
//
// # Concepts
//
// An [Interpreter] compiles a source once ([Interpreter.Compile]) into a
// [Program], which can be run any number of times, concurrently. Every run has a
// Lua state of its own, so nothing that a script leaves behind reaches another;
// in particular a library's local variables start anew with each call of one of its
// functions, where Redis keeps them.
//
// # What a script sees
//
// The libraries of Redis: base, string, table, math, coroutine, bit, cjson,
// cmsgpack, struct, redis, and of os the clock. They are written against Lua 5.1's and
// Redis's behaviour rather than taken from gopher-lua, whose numbers print and
// parse differently ("010" is eight there) and whose string functions know no limits. Before
// compilation the syntax tree is changed where the language itself differs: see rewrite.go.
// Globals and libraries are read-only, through proxies: see globals.go.
//
// Nothing reaches the host: no files, no modules, no bytecode.
//
// # Limits
//
// A run is bounded in steps (VM instructions, and work of library functions
// counted as such), in time, in memory, and in the depth of calls: see [Limits]. A
// run that is over a limit ends with an [Error] that no pcall in it can hold up.
package script
