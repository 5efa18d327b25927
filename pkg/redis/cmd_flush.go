package redis

import "github.com/skystash/skystash/pkg/redis/command"

// FLUSHDB, FLUSHALL: the commands that change a database as a whole.

func (e *Engine) databaseCommands() []*command.Command {
	const group = "server"
	return []*command.Command{
		{Name: "flushdb", Arity: -1, Flags: command.Write | command.Whole, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: group, Since: "1.0.0", Summary: "Removes all keys from the database.", Run: e.flushdb, Outside: e.flushAlone},
		{Name: "flushall", Arity: -1, Flags: command.Write | command.Whole, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: group, Since: "1.0.0", Summary: "Removes all keys.", Run: e.flushdb, Outside: e.flushAlone},
	}
}

// FLUSHDB [ASYNC | SYNC]
// FLUSHALL [ASYNC | SYNC]
func (e *Engine) flushAlone(o *command.Outside) error {
	if err := command.CheckFlushArgs(o.Args); err != nil {
		return err
	}
	if err := e.flush(o.Context, o.Database); err != nil {
		return err
	}
	for _, key := range e.waiters.keysOf(o.Database) {
		e.waiters.deleted(o.Database, key)
	}
	o.W.OK()
	return nil
}

// flushdb is the same inside a transaction.
func (e *Engine) flushdb(c *command.Call) error {
	if err := command.CheckFlushArgs(c.Args); err != nil {
		return err
	}
	if e.region != nil {
		return errFlushInTransaction
	}
	c.Txn.DeleteAll()
	c.W.OK()
	return nil
}
