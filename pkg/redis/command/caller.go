package command

import (
	"context"
	"sync/atomic"
	"time"
)

// Caller is who sends a command over a connection. A server of connections passes it along with the context.
type Caller struct {
	// Addr is the client's address as MONITOR shows it, e.g. "127.0.0.1:40123".
	Addr string
	// Patient says that blocking commands wait as long as they ask to, whatever Config.MaxBlock is. What the
	// context then bounds is each of their attempts, and Waits is how long there is anybody to wait for. When it
	// is done, nothing more is carried out of a pipeline, either.
	Patient bool
	Waits   context.Context
	// Waited is how long a command has waited for others. The engine adds to it.
	Waited time.Duration
	// Blocked is true while a command waits; nil: nobody asks.
	Blocked *atomic.Bool
	// Ends makes a command that waits end as if its time were over.
	Ends <-chan struct{}
	// Observer is told of the commands that the engine carries out for the caller; nil: nobody is.
	Observer Observer
	// Server is what INFO says of the process; nil: nothing.
	Server func() ServerInfo
}

// Observer is told of commands, by one goroutine at a time. failure is the text of the error that a command was answered with, or "".
type Observer interface {
	// Ran is told of a command that has run by itself, and what it took.
	Ran(cmd *Command, args []string, took time.Duration, failure string)
	// Joined is told of a command that has run as part of a transaction, which is told of besides.
	Joined(cmd *Command, took time.Duration, failure string)
	// Called is told of a command that a script has run, or not been allowed to run. It comes before the script itself. cmd is nil if
	// there is no such command.
	Called(cmd *Command, ran bool, took time.Duration, failure string)
	// Again is told that scripts run again, because others were faster, and so do their commands.
	Again()
	// Rejected is told of a command that was refused before it ran. cmd is nil if there is no such command.
	Rejected(cmd *Command, failure string)
}

// ServerInfo is what INFO tells of a server of connections.
type ServerInfo struct {
	Port             int
	RunID            string // 40 hexadecimal digits
	Clients          int    // of the caller's database
	Blocked          int    // of them, those in a blocking command
	MaxClients       int
	TotalConnections int64
	TotalCommands    int64
	Subscribers      int // of the clients, those that receive messages
	CommandsPerSec   int64
	ErrorReplies     int64
	NetInput         int64   // bytes
	NetOutput        int64   // bytes
	InputRate        float64 // bytes a second
	OutputRate       float64 // bytes a second
	HeldBytes        int64   // that connections hold, for requests, transactions and replies
	Hits, Misses     int64   // keys that reading commands have found, and have not
	SlowClients      int64   // connections that were closed because their clients did not read
	EvictedClients   int64   // and because all connections held too much
	// Listening counts the channels, patterns and shard channels that connections of the database are subscribed to.
	Listening func() (channels, patterns, shards int)
	// Section writes the lines of INFO's commandstats, errorstats or latencystats.
	Section func(name string, line func(name string, value any))
	// ResetStat makes what is counted begin anew.
	ResetStat func()
	// Parameters are further ones of CONFIG GET: names and values.
	Parameters [][2]string
	// Set sets one of them by CONFIG SET; known is false if the name is of none that can be set. nil: none can.
	Set func(name, value string) (known bool, err error)
}

// Native reports whether the caller speaks Redis's own protocol, and expects what Redis answers. Over REST commands answer as the service
// that has that API does, where the two differ.
func (c *Call) Native() bool { return CallerOf(c.Txn.Context()) != nil }

type callerKey struct{}

// WithCaller returns a context for the commands of a connection.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is the Caller of a context, or nil.
func CallerOf(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}
