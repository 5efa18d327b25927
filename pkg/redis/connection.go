package redis

import (
	"context"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/turns"
)

// waitOf is how long a blocking command may wait: until the context ends, or the channel is closed. The context of
// a connection bounds each attempt instead.
func waitOf(ctx context.Context) (context.Context, <-chan struct{}) {
	if c := command.CallerOf(ctx); c != nil && c.Patient {
		return c.Waits, c.Ends
	}
	return ctx, nil
}

// clientAddr is the client's address as MONITOR shows it. One over HTTP has none.
func clientAddr(ctx context.Context) string {
	if c := command.CallerOf(ctx); c != nil {
		return c.Addr
	}
	return "0.0.0.0:0"
}

// Nature is how a server of connections has to treat a command.
type Nature uint8

const (
	Unknown  Nature = iota // there is no such command
	Ordinary               // the engine carries it out
	Waiting                // the same, but outside of transactions it may wait long
	Bound                  // it belongs to the connection: the server carries it out itself
)

// NatureOf tells a server of connections what to do with a command, of which there is at least the name.
// It says nothing of the arguments: see Check.
func (e *Engine) NatureOf(args []string) Nature {
	cmd := e.commands.Of(args)
	switch {
	case cmd == nil:
		return Unknown
	case cmd.Has(command.Session), cmd.Name == "select": // which the engine can carry out, but knows no connection that it is for
		return Bound
	case cmd.Has(command.Blocking):
		return Waiting
	}
	return Ordinary
}

// CommandOf is the entry of the command table that arguments begin with the name of, or nil.
func (e *Engine) CommandOf(args []string) *Command { return e.commands.Of(args) }

// CommandCount is how many commands and subcommands there are.
func (e *Engine) CommandCount() int { return e.commands.Size() }

// MayWrite reports whether a command may change data of a database or send messages. One that is refused for its number of
// arguments does neither.
func (e *Engine) MayWrite(ctx context.Context, database string, args []string) bool {
	cmd, err := e.commands.Find(args)
	if err != nil || !cmd.MayWrite() {
		return false
	}
	if cmd.Has(command.Scripting) {
		if db, ok := e.databases.Last(database); ok {
			return !e.scripts.NeverWrites(ctx, db, cmd, args)
		}
	}
	return true
}

// NeedsConnection reports whether a command is one of those that a client over HTTP is told about: they make sense
// on a connection only.
func (e *Engine) NeedsConnection(name string) bool {
	cmd := e.commands.Named(name)
	if cmd == nil {
		return false
	}
	switch cmd.Name {
	case "client", "monitor", "auth", "hello", "reset":
		return true
	}
	return cmd.Has(command.Session) && (cmd.Group == "pubsub" || cmd.Group == "transactions")
}

// Check refuses a command that would be refused before it runs: one that there is not, that has a wrong number of
// arguments, that the caller may not run, or whose keys are too long. The error is an Error, or that of the context.
func (e *Engine) Check(ctx context.Context, a Access, args []string) error {
	if len(args) > e.budget.Arguments {
		return errTooManyArguments(e.budget.Arguments, len(args))
	}
	cmd, err := e.commands.Find(args)
	if err != nil {
		return err
	}
	work, err := a.Allow(cmd, args, cmd.KeysOf(args))
	if spent := turns.Of(ctx).Spend(ctx, work); spent != nil {
		return spent
	}
	return err
}

// UserToken is the token of a user of a database with a password. Whether there is such a user, and whether
// that is the password, Authenticate finds out.
func UserToken(db, name, password string) string { return command.UserToken(db, name, password) }

// unserved is the error for a command that the engine cannot carry out, which may be malformed besides.
func (e *Engine) unserved(args []string, err error) error {
	cmd := e.commands.Named(args[0])
	switch {
	case err != nil && cmd != nil && e.commands.Of(args).Here(): // HELP with too many arguments
		return err
	case cmd == nil, cmd.Elsewhere():
		return command.ErrUnknown(args[0])
	case err != nil || len(args) < 2:
		return err
	}
	return command.ErrUnknownSub(args[0], args[1])
}
