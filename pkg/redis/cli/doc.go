// Package cli is what a command line for Redis needs, without a terminal: it reads
// lines as redis-cli does, writes replies as redis-cli does, and says how commands
// are written for those who complete or explain them.
package cli
