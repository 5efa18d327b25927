package redis

import (
	"context"

	"github.com/skystash/skystash/pkg/redis/acl"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/pubsub"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/turns"
)

// What the floors below define and those who use an engine need.
type (
	// Access is what a caller may do. The zero Access may do everything.
	Access = command.Access
	// Maker is the credential that commands run for.
	Maker = command.Maker
	// Command is an entry of the table of commands.
	Command = command.Command
	// Caller is who sends a command over a connection.
	Caller = command.Caller
	// ServerInfo is what INFO tells of a server of connections.
	ServerInfo = command.ServerInfo
	// Database is a database's record as it was read last.
	Database = keyspace.Database
	// Budget bounds what one request may use.
	Budget = keyspace.Budget
	// Change is what happened to one item: a record of the table's stream.
	Change = keyspace.Change
	// Turn is the right of one request to work.
	Turn = turns.Turn
	// User is a user of a database's access control list.
	User = acl.User
	// Message is what a subscriber receives.
	Message = pubsub.Message
	// Subscription receives the messages of channels. It must be closed.
	Subscription = pubsub.Subscription
	// Error is a Redis error reply: its code and text.
	Error = resp.Error
)

// Errors of Subscription.Next.
var (
	// ErrClosed ends the subscriptions of an engine that is closed.
	ErrClosed = pubsub.ErrClosed
	// ErrLagged ends a subscription whose messages were deleted before it read them.
	ErrLagged = pubsub.ErrLagged
)

// Version is the version of Redis whose commands and behaviour this is.
const Version = command.Version

// DefaultBudget is what the zero fields of a Budget stand for.
var DefaultBudget = keyspace.DefaultBudget

// WithCaller returns a context for the commands of a connection.
func WithCaller(ctx context.Context, c *Caller) context.Context { return command.WithCaller(ctx, c) }

// IsUserToken tells the tokens of users from others.
func IsUserToken(token string) bool { return command.IsUserToken(token) }

// Subscribe begins to receive messages: all that are published after it has returned. An Error is
// returned if the caller may not.
func (e *Engine) Subscribe(ctx context.Context, db *Database, a Access, channels, patterns []string) (*Subscription, error) {
	return e.pubsub.Subscribe(ctx, db, a, channels, patterns)
}
