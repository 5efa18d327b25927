package redis

import (
	"context"
	"strings"
)

// Caller is who sends a command over a connection. A server of connections passes it along with the context.
type Caller struct {
	// Addr is the client's address as MONITOR shows it, e.g. "127.0.0.1:40123".
	Addr string
	// Patient says that blocking commands wait as long as they ask to, whatever Config.MaxBlock is. What the
	// context then bounds is each of their attempts, and Waits is how long there is anybody to wait for.
	Patient bool
	Waits   context.Context
	// Ends makes a command that waits end as if its time were over.
	Ends <-chan struct{}
	// Server is what INFO says of the process; nil: nothing.
	Server func() ServerInfo
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
	CommandsPerSec   int64
}

type callerKey struct{}

// WithCaller returns a context for the commands of a connection.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is the Caller of a context, or nil.
func callerOf(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

// waitOf is how long a blocking command may wait: until the context ends, or the channel is closed. The context of
// a connection bounds each attempt instead.
func waitOf(ctx context.Context) (context.Context, <-chan struct{}) {
	if c := callerOf(ctx); c != nil && c.Patient {
		return c.Waits, c.Ends
	}
	return ctx, nil
}

// clientAddr is the client's address as MONITOR shows it. One over HTTP has none.
func clientAddr(ctx context.Context) string {
	if c := callerOf(ctx); c != nil {
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
	cmd := e.commands.named(args[0])
	if cmd == nil {
		return Unknown
	}
	if cmd.subs != nil && len(args) > 1 {
		if sub := cmd.subs[strings.ToLower(args[1])]; sub != nil {
			cmd = sub
		}
	}
	switch {
	case cmd.has(session), cmd.name == "select": // which the engine can carry out, but knows no connection that it is for
		return Bound
	case cmd.has(blocking):
		return Waiting
	}
	return Ordinary
}

// NeedsConnection reports whether a command is one of those that a client over HTTP is told about: they make sense
// on a connection only.
func (e *Engine) NeedsConnection(name string) bool {
	cmd := e.commands.named(name)
	if cmd == nil {
		return false
	}
	switch cmd.name {
	case "client", "monitor", "auth", "hello", "reset":
		return true
	}
	return cmd.has(session) && (cmd.group == "pubsub" || cmd.group == "transactions")
}

// Check refuses a command that would be refused before it runs: one that there is not, that has a wrong number of
// arguments, that the caller may not run, or whose keys are too long. The error is an Error.
func (e *Engine) Check(a Access, args []string) error {
	if len(args) > e.budget.Arguments {
		return errTooManyArguments(e.budget.Arguments, len(args))
	}
	cmd, err := e.commands.find(args)
	if err != nil {
		return err
	}
	return a.allow(cmd, args, cmd.keysOf(args))
}

// allow refuses a command that the caller may not run, or whose keys are too long.
func (a Access) allow(cmd *command, args, keys []string) error {
	if err := a.check(cmd, args, keys); err != nil {
		return err
	}
	for _, key := range keys {
		if len(key) > maxKeySize {
			return errKeySize(len(key))
		}
	}
	return nil
}

// UserToken is the token of a user of a database with a password. Whether there is such a user, and whether
// that is the password, Authenticate finds out.
func UserToken(db, name, password string) string { return userToken(db, name, password) }

// named is the command of a name in any case, or nil.
func (t commandTable) named(name string) *command {
	if cmd := t[name]; cmd != nil {
		return cmd
	}
	var lower [32]byte
	if len(name) > len(lower) {
		return nil
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return t[string(lower[:len(name)])]
}

// here reports whether the engine itself can carry the command out.
func (cmd *command) here() bool { return cmd.run != nil || cmd.outside != nil }

// elsewhere reports whether the command and all of its subcommands are for servers of connections only.
func (cmd *command) elsewhere() bool {
	for _, sub := range cmd.subs {
		if sub.has(session) && sub.here() {
			return false
		}
	}
	return cmd.has(session) && !cmd.here()
}

// unserved is the error for a command that the engine cannot carry out, which may be malformed besides.
func (e *Engine) unserved(args []string, err error) error {
	cmd := e.commands.named(args[0])
	switch {
	case cmd == nil, cmd.elsewhere():
		return errUnknown(args[0])
	case err != nil || len(args) < 2:
		return err
	}
	return errUnknownSub(args[0], args[1])
}
