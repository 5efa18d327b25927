package redis

import "strings"

// FLUSHDB, FLUSHALL, DBSIZE, TIME, INFO, COMMAND.

func serverCommands() []*command {
	return []*command{
		{name: "flushdb", arity: -1, flags: write | whole, group: "server", since: "1.0.0", summary: "Removes all keys from the database.", run: flushdb},
		{name: "flushall", arity: -1, flags: write | whole, group: "server", since: "1.0.0", summary: "Removes all keys.", run: flushdb},
		{name: "dbsize", arity: 1, flags: readonly | fast, group: "server", since: "1.0.0", summary: "Returns the number of keys.", run: dbsize},
	}
}

func checkFlushArgs(args []string) error {
	if len(args) == 1 || len(args) == 2 && (strings.EqualFold(args[1], "async") || strings.EqualFold(args[1], "sync")) {
		return nil
	}
	return errSyntax
}

// FLUSHDB, FLUSHALL inside a transaction.
func flushdb(c *call) error {
	if err := checkFlushArgs(c.args); err != nil {
		return err
	}
	c.tx.DeleteAll()
	c.w.OK()
	return nil
}

// DBSIZE
func dbsize(c *call) error {
	c.w.Int(c.tx.CountKeys())
	return nil
}
