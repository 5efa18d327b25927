package scripts

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
)

// Failure is the error of a script that has failed after it had written, as one of several commands. The transaction has to
// run once more without it: nothing of what it wrote stays, but the other commands of a MULTI are carried out.
type Failure struct{ Text resp.Error }

func (f *Failure) Error() string { return f.Text.Error() }

// Errors of commands in scripts, in Redis's words.
const (
	errScriptUnknown  resp.Error = "ERR Unknown Redis command called from script"
	errScriptArity    resp.Error = "ERR Wrong number of args calling Redis command from script"
	errScriptNoScript resp.Error = "ERR This Redis command is not allowed from script"
	errScriptReadOnly resp.Error = "ERR Write commands are not allowed from read-only scripts."
	errNumKeysMany    resp.Error = "ERR Number of keys can't be greater than number of args"
	errNumKeysNeg     resp.Error = "ERR Number of keys can't be negative"
)

// host carries out what a script asks for, in the transaction of the
// command that runs it.
type host struct {
	log      *slog.Logger
	c        *command.Call
	readOnly bool
	keys     []string // the only ones that may be used, if locked
	locked   bool
	wrote    bool // some command may have written or sent messages
	logged   int  // lines
	w        resp.Writer
	observer command.Observer // nil: none
}

// Call runs a command.
func (h *host) Call(args []string) ([]byte, error) {
	if h.observer == nil {
		_, reply, err := h.call(args)
		return reply, err
	}
	began := h.c.Host.Now()
	cmd, reply, err := h.call(args)
	failure, _ := resp.ErrorText(reply)
	if err != nil {
		failure = err.Error()
	}
	ran := cmd != nil
	if !ran {
		cmd = h.c.Host.Commands.Of(args)
	}
	h.observer.Called(cmd, ran, h.c.Host.Now().Sub(began), failure)
	return reply, err
}

// call runs a command, and returns it; nil: it was refused before it ran.
func (h *host) call(args []string) (*command.Command, []byte, error) {
	h.w.Reset()
	tx := h.c.Txn
	cmd, err := h.bind(args)
	if err == nil {
		if h.c.Monitor != nil {
			h.c.Monitor(cmd, args)
		}
		h.wrote = h.wrote || cmd.MayWrite()
		h.w.Limit(h.c.Host.MaxReply + command.ReplySlack)
		call := &command.Call{Txn: tx, Command: cmd, Args: args, W: &h.w, Host: h.c.Host, Access: h.c.Access, Multi: h.c.Multi, Scripted: true}
		if err = cmd.Run(call); err == nil {
			call.NoteEvents()
		}
	}
	tx.Spend(keyspace.CommandWork + int64(h.w.Len()))
	if tx.Err() != nil {
		return cmd, nil, tx.Err()
	}
	var redisErr resp.Error
	if err := tx.EndCommand(); errors.As(err, &redisErr) {
		return cmd, nil, script.Error(redisErr)
	}
	if err == nil && h.w.Len() > h.c.Host.MaxReply {
		return cmd, nil, script.Error(command.ErrReplySize(h.c.Host.MaxReply, h.w.Len()))
	}
	if errors.As(err, &redisErr) {
		h.w.Reset()
		h.w.Error(redisErr.Error())
		err = nil
	}
	return cmd, h.w.Buf, err
}

// bind finds a command that the script may run.
func (h *host) bind(args []string) (*command.Command, error) {
	cmd, err := h.c.Host.Commands.Find(args)
	if err != nil {
		replication := ofReplicas[strings.ToLower(args[0])]
		switch {
		case h.c.Host.Commands.Names(args), replication != 0 && !command.Fits(replication, len(args)):
			return nil, errScriptArity
		case replication != 0:
			return nil, errScriptNoScript
		}
		return nil, errScriptUnknown
	}
	if cmd.Has(command.NoScript | command.Session) {
		return nil, errScriptNoScript
	}
	keys := cmd.KeysOf(args)
	if err := h.check(cmd, args, keys); err != nil {
		return nil, err
	}
	if h.readOnly && cmd.MayWrite() {
		return nil, errScriptReadOnly
	}
	if h.locked && cmd.Has(command.Whole) {
		return nil, errScriptNoScript
	}
	for _, key := range keys {
		if len(key) > keyspace.MaxKeySize {
			return nil, keyspace.ErrKeySize(len(key))
		}
		if h.locked && !slices.Contains(h.keys, key) {
			return nil, resp.Error("ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: " + key)
		}
	}
	return cmd, nil
}

// ofReplicas are commands of Redis, with their arities, that are not in the table. Redis knows them in scripts,
// and refuses them.
var ofReplicas = map[string]int{"sync": 1, "psync": -3}

// Allowed reports whether the caller of the script may run a command.
func (h *host) Allowed(args []string) (bool, error) {
	cmd, err := h.c.Host.Commands.Find(args)
	if err != nil {
		return false, script.Error("ERR Invalid command passed to redis.acl_check_cmd()")
	}
	return h.check(cmd, args, cmd.KeysOf(args)) == nil, nil
}

// check refuses what the script's caller may not do.
func (h *host) check(cmd *command.Command, args, keys []string) error {
	work, err := h.c.Access.Check(cmd, args, keys)
	if spent := h.c.Txn.Spend(work); spent != nil {
		return spent
	}
	return err
}

// stepWork is what a step of a script costs, see Budget.
const stepWork = 80

// Use counts what a script has used towards the request's budget.
func (h *host) Use(steps, bytes int64) error {
	h.c.Txn.Spend(steps * stepWork)
	h.c.Txn.Hold(bytes)
	return h.c.Txn.Err()
}

// Waited is how long the request has waited for turns.
func (h *host) Waited() time.Duration {
	return h.c.Txn.Waited()
}

// maxLogged bounds the lines of up to 1 KiB that a run of a script logs.
const maxLogged = 100

// logWork is what a line of a script's log costs, see Budget: a pipeline that runs nothing but scripts logs
// about 10,000 lines.
const logWork = 200_000

// Log writes what a script logs to the engine's log, up to maxLogged lines.
func (h *host) Log(level int, message string) {
	h.logged++
	switch {
	case h.logged == maxLogged+1:
		h.log.WarnContext(h.c.Txn.Context(), "a script logs more than is kept of a run", "lines", maxLogged, "database", h.c.Txn.Database().ID)
		return
	case h.logged > maxLogged:
		return
	}
	h.c.Txn.Spend(logWork)
	levels := [...]slog.Level{slog.LevelDebug, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn}
	h.log.Log(h.c.Txn.Context(), levels[level], "script: "+message, "database", h.c.Txn.Database().ID)
}

// keysAndArgs splits the arguments behind a script or a function's name:
// numkeys [key ...] [arg ...].
func keysAndArgs(c *command.Call) (keys, args []string, err error) {
	n, ok := num.ParseInt(c.Args[2])
	rest := c.Args[3:]
	switch {
	case !ok:
		return nil, nil, command.ErrNotInteger
	case n > int64(len(rest)):
		return nil, nil, errNumKeysMany
	case n < 0:
		return nil, nil, errNumKeysNeg
	}
	return rest[:n:n], rest[n:], nil
}

// runScript runs a script or a function, as run says, in the command's transaction. name is its SHA-1 or name, flags are
// those of the script; with readOnly it must not write in any case.
func (s *Scripts) runScript(c *command.Call, name string, flags script.Flags, readOnly bool, keys, args []string, run func(context.Context, script.Input) error) error {
	tx := c.Txn
	tx.Whole()
	h := &host{log: s.log, c: c, readOnly: readOnly || flags.NoWrites, keys: keys, locked: flags.AllowKeyLocking}
	if caller := command.CallerOf(tx.Context()); caller != nil {
		h.observer = caller.Observer
	}
	err := run(tx.Context(), script.Input{Keys: keys, Args: args, Host: h, Native: c.Native(), Name: name})
	if tx.Err() != nil {
		return tx.Err()
	}
	err = luaError(err)
	var failure resp.Error
	if !errors.As(err, &failure) || !h.wrote {
		return err
	}
	if c.Multi {
		return &Failure{failure}
	}
	tx.Rollback()
	return failure
}
