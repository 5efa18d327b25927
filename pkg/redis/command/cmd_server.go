package command

import (
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// DBSIZE, TIME, SWAPDB, MEMORY, CONFIG;
// cmd_server_config.go: what CONFIG SET accepts; cmd_server_info.go: INFO; cmd_server_command.go: COMMAND.

func serverCommands() []*Command {
	const group = "server"
	return []*Command{
		{Name: "dbsize", Arity: 1, Flags: ReadOnly | Fast | Walks, Tips: "request_policy:all_shards response_policy:agg_sum", Group: group, Since: "1.0.0", Summary: "Returns the number of keys.", Run: dbsize},
		{Name: "time", Arity: 1, Flags: Fast, Tips: "nondeterministic_output", Group: group, Since: "2.6.0", Summary: "Returns the server's time.", Run: serverTime},
		{Name: "swapdb", Arity: 3, Flags: Write | Fast, Group: group, Since: "4.0.0", Summary: "Swaps two databases, of which there is one.", Run: swapDB},
		{Name: "memory", Arity: -2, Group: group, Since: "4.0.0", Summary: "Estimates what values take.", Subcommands: Subcommands(
			&Command{Name: "usage", Arity: -3, Flags: ReadOnly, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Use: "RO", Group: group, Since: "4.0.0", Summary: "Estimates the bytes that a key takes.", Run: memoryUsage},
			Help(group, "4.0.0",
				"USAGE <key> [SAMPLES <count>]", "    Estimate the bytes that the key and its value take, from <count>",
				"    of its elements (default: 5, 0 means all)."),
		)},
		{Name: "config", Arity: -2, Group: group, Since: "2.0.0", Summary: "Reads and sets the configuration.", Subcommands: Subcommands(
			&Command{Name: "get", Arity: -3, Flags: Admin | NoScript, Group: group, Since: "2.0.0", Summary: "Returns parameters that match patterns.", Run: configGet},
			&Command{Name: "set", Arity: -4, Flags: Admin | NoScript, Tips: "request_policy:all_nodes response_policy:all_succeeded", Group: group, Since: "2.0.0", Summary: "Sets parameters.", Run: configSet},
			&Command{Name: "resetstat", Arity: 2, Flags: Admin | NoScript, Group: group, Since: "2.0.0", Summary: "Accepted without effect: INFO reports no counters.", Run: configResetStat},
			Help(group, "5.0.0",
				"GET <pattern> [<pattern> ...]", "    Parameters that match the glob-like patterns, with their values.",
				"SET <directive> <value> [<directive> <value> ...]", "    Set parameters.",
				"RESETSTAT", "    Accepted without effect."),
		)},
		infoCommand(),
		commandCommand(),
	}
}

// DBSIZE
func dbsize(c *Call) error {
	c.W.Int(c.Txn.CountKeys())
	return nil
}

// TIME
//
// stands still in transactions and scripts.
func serverTime(c *Call) error {
	us := c.Txn.Micros()
	c.W.Array(2)
	c.W.BulkInt(us / 1e6)
	c.W.BulkInt(us % 1e6)
	return nil
}

// SWAPDB index1 index2
func swapDB(c *Call) error {
	for i, which := range []string{"first", "second"} {
		n, ok := num.ParseInt(c.Args[i+1])
		if !ok || n != int64(int32(n)) {
			return Error("ERR invalid " + which + " DB index")
		}
	}
	if c.Args[1] != "0" || c.Args[2] != "0" {
		return errDBIndex
	}
	c.W.OK()
	return nil
}

// MEMORY USAGE key [SAMPLES count]
func memoryUsage(c *Call) error {
	samples := int64(5)
	for i := 3; i < len(c.Args); i++ {
		if !c.Is(i, "samples") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		i++
		var err error
		if samples, err = c.Int(i); err != nil {
			return err
		}
		if samples < 0 {
			return ErrSyntax
		}
	}
	n, ok := c.Txn.Bytes(c.Args[2], samples)
	if !ok {
		c.W.Null()
		return nil
	}
	c.W.Int(int64(len(c.Args[2])) + keyOverhead + n)
	return nil
}

// keyOverhead is about what a key takes in Redis besides its name and value, in bytes.
const keyOverhead = 64

// notifyParam is the one parameter there is. Keyspace events are not published,
// so it is empty.
const notifyParam = "notify-keyspace-events"

// CONFIG GET parameter [parameter ...]
func configGet(c *Call) error {
	mark, n := c.W.Mark(), 0
	for _, p := range append(parametersFor(serverOf(c)), [2]string{notifyParam, ""}) {
		if !slices.ContainsFunc(c.Args[2:], func(pattern string) bool { return c.Txn.Matches(strings.ToLower(pattern), p[0]) }) {
			continue
		}
		c.W.Bulk(p[0])
		c.W.Bulk(p[1])
		n++
	}
	c.W.MapAt(mark, n)
	return nil
}

// CONFIG SET parameter value [parameter value ...]
func configSet(c *Call) error {
	if len(c.Args)%2 != 0 {
		return ErrSyntax
	}
	for i := 2; i < len(c.Args); i += 2 {
		if !c.Is(i, notifyParam) {
			if err := setFixed(serverOf(c), c.Args[i], c.Args[i+1]); err != nil {
				return err
			}
			continue
		}
		if c.Args[i+1] != "" {
			return Error("ERR CONFIG SET failed (possibly related to argument '" + notifyParam + "') - keyspace events are not available")
		}
	}
	c.W.OK()
	return nil
}

// CONFIG RESETSTAT
func configResetStat(c *Call) error {
	c.W.OK()
	return nil
}
