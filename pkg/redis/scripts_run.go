package redis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/num"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store"
)

// Eval runs a script as EVAL does, but does not store it: EVALSHA and SCRIPT EXISTS do not find it,
// and it takes no space. Tools that look after a database use it for scripts of their own.
func (e *Engine) Eval(ctx context.Context, db *Database, a Access, source string, keys, args []string, w *resp.Writer) error {
	ctx, _, own := e.begin(ctx, db)
	defer own.End()
	b, err := e.bind(a, slices.Concat([]string{"EVAL", source, strconv.Itoa(len(keys))}, keys, args))
	if err != nil {
		w.Error(err.Error())
		return nil
	}
	cmd := *b.cmd
	cmd.run, b.cmd = evalUnkept, &cmd
	e.monitor(ctx, db, b)
	return e.run(ctx, db, b, nil, w)
}

// scriptFailure makes a transaction run once more without one of its commands: a
// script that has failed after it had written. Nothing of what it wrote stays, but the
// other commands of a MULTI are carried out.
type scriptFailure struct {
	member int // its place in the group
	text   Error
}

func (f *scriptFailure) Error() string { return f.text.Error() }

// Errors of commands in scripts, in Redis's words.
const (
	errScriptUnknown  Error = "ERR Unknown Redis command called from script"
	errScriptArity    Error = "ERR Wrong number of args calling Redis command from script"
	errScriptNoScript Error = "ERR This Redis command is not allowed from script"
	errScriptReadOnly Error = "ERR Write commands are not allowed from read-only scripts."
	errNumKeysMany    Error = "ERR Number of keys can't be greater than number of args"
	errNumKeysNeg     Error = "ERR Number of keys can't be negative"
)

// scriptHost carries out what a script asks for, in the transaction of the
// command that runs it.
type scriptHost struct {
	c        *call
	readOnly bool
	keys     []string // the only ones that may be used, if locked
	locked   bool
	wrote    bool // some command may have written or sent messages
	logged   int  // lines
	w        resp.Writer
}

// Call runs a command.
func (h *scriptHost) Call(args []string) ([]byte, error) {
	h.w.Reset()
	tx := h.c.tx
	cmd, err := h.bind(args)
	if err == nil {
		h.wrote = h.wrote || cmd.mayWrite()
		h.w.Limit(tx.e.maxReply + replySlack)
		err = cmd.run(&call{tx: tx, cmd: cmd, args: args, w: &h.w, access: h.c.access})
	}
	tx.spend(commandWork + int64(h.w.Len()))
	if tx.err != nil {
		return nil, tx.err
	}
	tx.dropEmpty()
	if tx.changed > store.MaxCommitOps {
		return nil, script.Error(errTransactionSize(tx.changed))
	}
	if err == nil && h.w.Len() > tx.e.maxReply {
		return nil, script.Error(errReplySize(tx.e.maxReply, h.w.Len()))
	}
	var redisErr Error
	if errors.As(err, &redisErr) {
		h.w.Reset()
		h.w.Error(redisErr.Error())
		err = nil
	}
	return h.w.Buf, err
}

// bind finds a command that the script may run.
func (h *scriptHost) bind(args []string) (*command, error) {
	e := h.c.tx.e
	cmd, err := e.commands.find(args)
	if err != nil {
		connection := ofConnections[strings.ToLower(args[0])]
		switch {
		case e.commands.names(args), connection != 0 && !fits(connection, len(args)):
			return nil, errScriptArity
		case connection != 0:
			return nil, errScriptNoScript
		}
		return nil, errScriptUnknown
	}
	if cmd.has(noscript | session) {
		return nil, errScriptNoScript
	}
	if err := h.c.access.check(cmd, args); err != nil {
		return nil, err
	}
	if h.readOnly && cmd.mayWrite() {
		return nil, errScriptReadOnly
	}
	if h.locked && cmd.has(whole) {
		return nil, errScriptNoScript
	}
	for _, key := range cmd.keysOf(args) {
		if len(key) > maxKeySize {
			return nil, errKeySize(len(key))
		}
		if h.locked && !slices.Contains(h.keys, key) {
			return nil, Error("ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: " + key)
		}
	}
	return cmd, nil
}

// ofConnections are the commands of Redis that change what a connection is, with their arities. They are not in
// the table, for a request over HTTP has no connection. Redis knows them in scripts, and refuses them.
var ofConnections = map[string]int{
	"auth": -2, "hello": -1, "quit": -1, "reset": 1, "multi": 1, "exec": 1, "discard": 1, "watch": -2, "unwatch": 1,
	"subscribe": -2, "psubscribe": -2, "ssubscribe": -2, "unsubscribe": -1, "punsubscribe": -1, "sunsubscribe": -1,
	"monitor": 1, "sync": 1, "psync": -3,
}

// names reports whether there is a command, or subcommand, of the name that args start with.
func (t commandTable) names(args []string) bool {
	cmd := t[strings.ToLower(args[0])]
	if cmd == nil {
		return false
	}
	return cmd.subs == nil || len(args) == 1 || cmd.subs[strings.ToLower(args[1])] != nil
}

// Allowed reports whether the caller of the script may run a command.
func (h *scriptHost) Allowed(args []string) (bool, error) {
	cmd, err := h.c.tx.e.commands.find(args)
	if err != nil {
		return false, script.Error("ERR Invalid command passed to redis.acl_check_cmd()")
	}
	return h.c.access.check(cmd, args) == nil, nil
}

// stepWork is what a step of a script costs, see Budget.
const stepWork = 80

// Use counts what a script has used towards the request's budget.
func (h *scriptHost) Use(steps, bytes int64) error {
	h.c.tx.spend(steps * stepWork)
	h.c.tx.hold(bytes)
	return h.c.tx.err
}

// Waited is how long the request has waited for turns.
func (h *scriptHost) Waited() time.Duration {
	if t := h.c.tx.budget.turn; t != nil {
		return t.waited
	}
	return 0
}

// maxLogged bounds the lines of up to 1 KiB that a run of a script logs.
const maxLogged = 100

// logWork is what a line of a script's log costs, see Budget: a pipeline that runs nothing but scripts logs
// about 10,000 lines.
const logWork = 200_000

// Log writes what a script logs to the engine's log, up to maxLogged lines.
func (h *scriptHost) Log(level int, message string) {
	h.logged++
	switch {
	case h.logged == maxLogged+1:
		h.c.tx.e.log.WarnContext(h.c.tx.ctx, "a script logs more than is kept of a run", "lines", maxLogged, "database", h.c.tx.view.db)
		return
	case h.logged > maxLogged:
		return
	}
	h.c.tx.spend(logWork)
	levels := [...]slog.Level{slog.LevelDebug, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn}
	h.c.tx.e.log.Log(h.c.tx.ctx, levels[level], "script: "+message, "database", h.c.tx.view.db)
}

// keysAndArgs splits the arguments behind a script or a function's name:
// numkeys [key ...] [arg ...].
func (c *call) keysAndArgs() (keys, args []string, err error) {
	n, ok := num.ParseInt(c.args[2])
	rest := c.args[3:]
	switch {
	case !ok:
		return nil, nil, errNotInteger
	case n > int64(len(rest)):
		return nil, nil, errNumKeysMany
	case n < 0:
		return nil, nil, errNumKeysNeg
	}
	return rest[:n:n], rest[n:], nil
}

// runScript runs a script or a function, as run says, in the command's transaction. flags are
// those of the script; with readOnly it must not write in any case.
func (c *call) runScript(flags script.Flags, readOnly bool, keys, args []string, run func(context.Context, script.Input) error) error {
	tx := c.tx
	h := &scriptHost{c: c, readOnly: readOnly || flags.NoWrites, keys: keys, locked: flags.AllowKeyLocking}
	err := run(tx.ctx, script.Input{Keys: keys, Args: args, Host: h})
	tx.scripted = true
	if tx.err != nil {
		return tx.err
	}
	err = luaError(err)
	var failure Error
	if !errors.As(err, &failure) || !h.wrote {
		return err
	}
	if tx.multi {
		return &scriptFailure{member: tx.member, text: failure}
	}
	tx.rollback()
	return failure
}
