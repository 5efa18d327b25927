package redis

import (
	"context"
	"strings"

	"github.com/skystash/skystash/pkg/redis/script"
)

// EVAL, EVALSHA, EVAL_RO, EVALSHA_RO, SCRIPT.

// scriptKeys are the keys of EVAL and its like. They are hints: a script may use others.
var scriptKeys = keySpec{numkeys: 2}

func (e *Engine) scriptCommands() []*command {
	const group, f = "scripting", noscript | movable | scripting
	return []*command{
		{name: "eval", arity: -3, flags: f, keys: scriptKeys, use: "RW access update", group: group, since: "2.6.0", summary: "Runs a Lua script.", run: e.eval},
		{name: "evalsha", arity: -3, flags: f, keys: scriptKeys, use: "RW access update", group: group, since: "2.6.0", summary: "Runs a Lua script that is known, by its SHA-1.", run: e.evalSHA},
		{name: "eval_ro", arity: -3, flags: f | readonly, keys: scriptKeys, group: group, since: "7.0.0", summary: "Runs a Lua script that must not write.", run: e.eval},
		{name: "evalsha_ro", arity: -3, flags: f | readonly, keys: scriptKeys, group: group, since: "7.0.0", summary: "Runs a Lua script that is known and must not write, by its SHA-1.", run: e.evalSHA},
		e.scriptCommand(),
	}
}

func (e *Engine) scriptCommand() *command {
	const group = "scripting"
	return &command{name: "script", arity: -2, group: group, since: "2.6.0", summary: "Manages the scripts of the database.", subs: subcommands(
		&command{name: "load", arity: 3, flags: noscript, tips: "request_policy:all_nodes response_policy:all_succeeded", group: group, since: "2.6.0", summary: "Keeps a script without running it, and returns its SHA-1.", run: e.scriptLoad},
		&command{name: "exists", arity: -3, flags: noscript, tips: "request_policy:all_shards response_policy:agg_logical_and", group: group, since: "2.6.0", summary: "Reports which scripts are kept.", run: e.scriptExists},
		&command{name: "flush", arity: -2, flags: noscript, tips: "request_policy:all_nodes response_policy:all_succeeded", group: group, since: "2.6.0", summary: "Forgets all scripts.", run: notInTransaction, outside: e.scriptFlush},
		&command{name: "kill", arity: 2, flags: noscript, tips: "request_policy:all_shards response_policy:one_succeeded", group: group, since: "2.6.0", summary: "Always NOTBUSY: a script never holds up others.", run: notBusy},
		helpCommand(group, "5.0.0",
			"EXISTS <sha1> [<sha1> ...]", "    Which of the scripts are kept.",
			"FLUSH [ASYNC|SYNC]", "    Forget all scripts.",
			"KILL", "    Always NOTBUSY.",
			"LOAD <script>", "    Keep a script without running it."),
	)}
}

// EVAL script numkeys [key ...] [arg ...]
// EVAL_RO script numkeys [key ...] [arg ...]
func (e *Engine) eval(c *call) error {
	return e.evaluate(c, func() (*script.Program, error) {
		_, p, err := e.keepScript(c.tx, c.args[1])
		return p, err
	})
}

// evalUnkept is EVAL by Engine.Eval.
func (e *Engine) evalUnkept(c *call) error {
	source := c.args[1]
	return e.evaluate(c, func() (*script.Program, error) { return e.lua.program(shaOf(source), source) })
}

// EVALSHA sha1 numkeys [key ...] [arg ...]
// EVALSHA_RO sha1 numkeys [key ...] [arg ...]
func (e *Engine) evalSHA(c *call) error {
	sha := strings.ToLower(c.args[1])
	if len(sha) != shaLen {
		return errNoScript
	}
	return e.evaluate(c, func() (*script.Program, error) { return e.findScript(c.tx, sha) })
}

func (e *Engine) evaluate(c *call, program func() (*script.Program, error)) error {
	keys, args, err := keysAndArgs(c)
	if err != nil {
		return err
	}
	p, err := program()
	if err != nil {
		return err
	}
	return e.runScript(c, p.Header.Flags, c.cmd.has(readonly), keys, args, func(ctx context.Context, in script.Input) error {
		return e.lua.interpreter.Run(ctx, p, in, c.w)
	})
}

// SCRIPT LOAD script
func (e *Engine) scriptLoad(c *call) error {
	sha, _, err := e.keepScript(c.tx, c.args[2])
	if err != nil {
		return err
	}
	c.w.Bulk(sha)
	return nil
}

// SCRIPT EXISTS sha1 [sha1 ...]
func (e *Engine) scriptExists(c *call) error {
	shas := make([]string, len(c.args)-2)
	for i, sha := range c.args[2:] {
		shas[i] = strings.ToLower(sha)
	}
	have := e.haveScripts(c.tx, shas)
	c.w.Array(len(have))
	for _, ok := range have {
		c.w.IntBool(ok)
	}
	return nil
}

// SCRIPT FLUSH [ASYNC | SYNC]
func (e *Engine) scriptFlush(o *outsider) error {
	if len(o.args) != 2 && checkFlushArgs(o.args[1:]) != nil {
		return Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
	}
	if err := e.flushScripts(o.ctx, o.db); err != nil {
		return err
	}
	o.w.OK()
	return nil
}

// SCRIPT KILL
// FUNCTION KILL
func notBusy(*call) error { return Error("NOTBUSY No scripts in execution right now.") }

// notInTransaction refuses commands that only have a form outside of transactions.
func notInTransaction(c *call) error {
	return Error("ERR " + strings.ToUpper(strings.ReplaceAll(c.cmd.fullName(c.args), "|", " ")) + " is not possible in a transaction")
}
