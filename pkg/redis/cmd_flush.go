package redis

import "strings"

// FLUSHDB, FLUSHALL: the commands that change a database as a whole.

func (e *Engine) databaseCommands() []*command {
	const group = "server"
	return []*command{
		{name: "flushdb", arity: -1, flags: write | whole, tips: "request_policy:all_shards response_policy:all_succeeded", group: group, since: "1.0.0", summary: "Removes all keys from the database.", run: e.flushdb, outside: e.flushAlone},
		{name: "flushall", arity: -1, flags: write | whole, tips: "request_policy:all_shards response_policy:all_succeeded", group: group, since: "1.0.0", summary: "Removes all keys.", run: e.flushdb, outside: e.flushAlone},
	}
}

func checkFlushArgs(args []string) error {
	if len(args) == 1 || len(args) == 2 && (strings.EqualFold(args[1], "async") || strings.EqualFold(args[1], "sync")) {
		return nil
	}
	return errSyntax
}

// FLUSHDB [ASYNC | SYNC]
// FLUSHALL [ASYNC | SYNC]
func (e *Engine) flushAlone(o *outsider) error {
	if err := checkFlushArgs(o.args); err != nil {
		return err
	}
	if err := e.flush(o.ctx, o.db); err != nil {
		return err
	}
	o.w.OK()
	return nil
}

// flushdb is the same inside a transaction.
func (e *Engine) flushdb(c *call) error {
	if err := checkFlushArgs(c.args); err != nil {
		return err
	}
	if e.region != nil {
		return errFlushInTransaction
	}
	c.tx.DeleteAll()
	c.w.OK()
	return nil
}
