// Package stats counts what the clients of each database do in one process: how often commands are called, what they take, and
// how they fail. INFO, LATENCY and CONFIG RESETSTAT tell of it, in the shape of Redis 7.2.
//
// A command that has run costs a few additions to counters and no lock. The memory is bounded: see maxDatabases and maxCounters.
package stats
