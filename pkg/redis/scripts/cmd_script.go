package scripts

import (
	"context"
	"strings"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
)

// EVAL, EVALSHA, EVAL_RO, EVALSHA_RO, SCRIPT.

// scriptKeys are the keys of EVAL and its like. They are hints: a script may use others.
var scriptKeys = command.KeySpec{Numkeys: 2}

func (s *Scripts) scriptCommands() []*command.Command {
	const group, f = "scripting", command.NoScript | command.Movable | command.Scripting
	return []*command.Command{
		{Name: "eval", Arity: -3, Flags: f, Keys: scriptKeys, Use: "RW access update", Group: group, Since: "2.6.0", Summary: "Runs a Lua script.", Run: s.eval},
		{Name: "evalsha", Arity: -3, Flags: f, Keys: scriptKeys, Use: "RW access update", Group: group, Since: "2.6.0", Summary: "Runs a Lua script that is known, by its SHA-1.", Run: s.evalSHA},
		{Name: "eval_ro", Arity: -3, Flags: f | command.ReadOnly, Keys: scriptKeys, Group: group, Since: "7.0.0", Summary: "Runs a Lua script that must not write.", Run: s.eval},
		{Name: "evalsha_ro", Arity: -3, Flags: f | command.ReadOnly, Keys: scriptKeys, Group: group, Since: "7.0.0", Summary: "Runs a Lua script that is known and must not write, by its SHA-1.", Run: s.evalSHA},
		s.scriptCommand(),
	}
}

func (s *Scripts) scriptCommand() *command.Command {
	const group = "scripting"
	return &command.Command{Name: "script", Arity: -2, Group: group, Since: "2.6.0", Summary: "Manages the scripts of the database.", Subcommands: command.Subcommands(
		&command.Command{Name: "load", Arity: 3, Flags: command.NoScript, Tips: "request_policy:all_nodes response_policy:all_succeeded", Group: group, Since: "2.6.0", Summary: "Keeps a script without running it, and returns its SHA-1.", Run: s.scriptLoad},
		&command.Command{Name: "exists", Arity: -3, Flags: command.NoScript, Tips: "request_policy:all_shards response_policy:agg_logical_and", Group: group, Since: "2.6.0", Summary: "Reports which scripts are kept.", Run: s.scriptExists},
		&command.Command{Name: "flush", Arity: -2, Flags: command.NoScript, Tips: "request_policy:all_nodes response_policy:all_succeeded", Group: group, Since: "2.6.0", Summary: "Forgets all scripts.", Run: command.NotInTransaction, Outside: s.scriptFlush},
		&command.Command{Name: "kill", Arity: 2, Flags: command.NoScript, Tips: "request_policy:all_shards response_policy:one_succeeded", Group: group, Since: "2.6.0", Summary: "Always NOTBUSY: a script never holds up others.", Run: notBusy},
		command.Help(group, "5.0.0",
			"EXISTS <sha1> [<sha1> ...]", "    Which of the scripts are kept.",
			"FLUSH [ASYNC|SYNC]", "    Forget all scripts.",
			"KILL", "    Always NOTBUSY.",
			"LOAD <script>", "    Keep a script without running it."),
	)}
}

// EVAL script numkeys [key ...] [arg ...]
// EVAL_RO script numkeys [key ...] [arg ...]
func (s *Scripts) eval(c *command.Call) error {
	return s.evaluate(c, shaOf(c.Args[1]), func() (*script.Program, error) {
		_, p, err := s.keepScript(c.Txn, c.Args[1])
		return p, err
	})
}

// EvalUnkept is EVAL of a script that is not stored: EVALSHA and SCRIPT EXISTS do not find it.
func (s *Scripts) EvalUnkept(c *command.Call) error {
	source := c.Args[1]
	sha := shaOf(source)
	return s.evaluate(c, sha, func() (*script.Program, error) { return s.program(sha, source) })
}

// EVALSHA sha1 numkeys [key ...] [arg ...]
// EVALSHA_RO sha1 numkeys [key ...] [arg ...]
func (s *Scripts) evalSHA(c *command.Call) error {
	sha := strings.ToLower(c.Args[1])
	if len(sha) != shaLen {
		return errNoScript
	}
	return s.evaluate(c, sha, func() (*script.Program, error) { return s.findScript(c.Txn, sha) })
}

func (s *Scripts) evaluate(c *command.Call, sha string, program func() (*script.Program, error)) error {
	keys, args, err := keysAndArgs(c)
	if err != nil {
		return err
	}
	p, err := program()
	if err != nil {
		return err
	}
	return s.runScript(c, sha, p.Header.Flags, c.Command.Has(command.ReadOnly), keys, args, func(ctx context.Context, in script.Input) error {
		return s.interpreter.Run(ctx, p, in, c.W)
	})
}

// SCRIPT LOAD script
func (s *Scripts) scriptLoad(c *command.Call) error {
	sha, _, err := s.keepScript(c.Txn, c.Args[2])
	if err != nil {
		return err
	}
	c.W.Bulk(sha)
	return nil
}

// SCRIPT EXISTS sha1 [sha1 ...]
func (s *Scripts) scriptExists(c *command.Call) error {
	shas := make([]string, len(c.Args)-2)
	for i, sha := range c.Args[2:] {
		shas[i] = strings.ToLower(sha)
	}
	have := s.haveScripts(c.Txn, shas)
	c.W.Array(len(have))
	for _, ok := range have {
		c.W.IntBool(ok)
	}
	return nil
}

// SCRIPT FLUSH [ASYNC | SYNC]
func (s *Scripts) scriptFlush(o *command.Outside) error {
	if len(o.Args) != 2 && command.CheckFlushArgs(o.Args[1:]) != nil {
		return resp.Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
	}
	if err := s.flushScripts(o.Context, o.Database); err != nil {
		return err
	}
	o.W.OK()
	return nil
}

// SCRIPT KILL
// FUNCTION KILL
func notBusy(*command.Call) error { return resp.Error("NOTBUSY No scripts in execution right now.") }
