package redis

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// DBSIZE, TIME, SWAPDB, MEMORY, CONFIG;
// cmd_server_info.go: INFO; cmd_server_command.go: COMMAND.

func serverCommands() []*command {
	const group = "server"
	return []*command{
		{name: "dbsize", arity: 1, flags: readonly | fast | walks, tips: "request_policy:all_shards response_policy:agg_sum", group: group, since: "1.0.0", summary: "Returns the number of keys.", run: dbsize},
		{name: "time", arity: 1, flags: fast, tips: "nondeterministic_output", group: group, since: "2.6.0", summary: "Returns the server's time.", run: serverTime},
		{name: "swapdb", arity: 3, flags: write | fast, group: group, since: "4.0.0", summary: "Swaps two databases, of which there is one.", run: swapDB},
		{name: "memory", arity: -2, group: group, since: "4.0.0", summary: "Estimates what values take.", subs: subcommands(
			&command{name: "usage", arity: -3, flags: readonly, keys: keySpec{first: 2, last: 2, step: 1}, use: "RO", group: group, since: "4.0.0", summary: "Estimates the bytes that a key takes.", run: memoryUsage},
			helpCommand(group, "4.0.0",
				"USAGE <key> [SAMPLES <count>]", "    Estimate the bytes that the key and its value take, from <count>",
				"    of its elements (default: 5, 0 means all)."),
		)},
		{name: "config", arity: -2, group: group, since: "2.0.0", summary: "Reads and sets the configuration.", subs: subcommands(
			&command{name: "get", arity: -3, flags: admin | noscript, group: group, since: "2.0.0", summary: "Returns parameters that match patterns.", run: configGet},
			&command{name: "set", arity: -4, flags: admin | noscript, tips: "request_policy:all_nodes response_policy:all_succeeded", group: group, since: "2.0.0", summary: "Sets parameters.", run: configSet},
			&command{name: "resetstat", arity: 2, flags: admin | noscript, group: group, since: "2.0.0", summary: "Accepted without effect: INFO reports no counters.", run: configResetStat},
			helpCommand(group, "5.0.0",
				"GET <pattern> [<pattern> ...]", "    Parameters that match the glob-like patterns, with their values.",
				"SET <directive> <value> [<directive> <value> ...]", "    Set parameters.",
				"RESETSTAT", "    Accepted without effect."),
		)},
		infoCommand(),
		commandCommand(),
	}
}

// DBSIZE
func dbsize(c *call) error {
	c.w.Int(c.tx.CountKeys())
	return nil
}

// TIME
//
// stands still in transactions and scripts.
func serverTime(c *call) error {
	us := c.tx.Micros()
	c.w.Array(2)
	c.w.BulkInt(us / 1e6)
	c.w.BulkInt(us % 1e6)
	return nil
}

// SWAPDB index1 index2
func swapDB(c *call) error {
	for i, which := range []string{"first", "second"} {
		n, ok := num.ParseInt(c.args[i+1])
		if !ok || n != int64(int32(n)) {
			return Error("ERR invalid " + which + " DB index")
		}
	}
	if c.args[1] != "0" || c.args[2] != "0" {
		return errDBIndex
	}
	c.w.OK()
	return nil
}

// MEMORY USAGE key [SAMPLES count]
func memoryUsage(c *call) error {
	samples := int64(5)
	for i := 3; i < len(c.args); i++ {
		if !c.is(i, "samples") || i+1 == len(c.args) {
			return errSyntax
		}
		i++
		var err error
		if samples, err = c.int(i); err != nil {
			return err
		}
		if samples < 0 {
			return errSyntax
		}
	}
	n, ok := c.tx.Bytes(c.args[2], samples)
	if !ok {
		c.w.Null()
		return nil
	}
	c.w.Int(int64(len(c.args[2])) + keyOverhead + n)
	return nil
}

// keyOverhead is about what a key takes in Redis besides its name and value, in bytes.
const keyOverhead = 64

// notifyParam is the one parameter there is. Keyspace events are not published,
// so it is empty.
const notifyParam = "notify-keyspace-events"

// CONFIG GET parameter [parameter ...]
func configGet(c *call) error {
	for _, pattern := range c.args[2:] {
		if c.tx.matches(strings.ToLower(pattern), notifyParam) {
			c.w.Map(1)
			c.w.Bulk(notifyParam)
			c.w.Bulk("")
			return nil
		}
	}
	c.w.Map(0)
	return nil
}

// CONFIG SET parameter value [parameter value ...]
func configSet(c *call) error {
	if len(c.args)%2 != 0 {
		return errSyntax
	}
	for i := 2; i < len(c.args); i += 2 {
		if !c.is(i, notifyParam) {
			return Error("ERR Unknown option or number of arguments for CONFIG SET - '" + c.args[i] + "'")
		}
		if c.args[i+1] != "" {
			return Error("ERR CONFIG SET failed (possibly related to argument '" + notifyParam + "') - keyspace events are not available")
		}
	}
	c.w.OK()
	return nil
}

// CONFIG RESETSTAT
func configResetStat(c *call) error {
	c.w.OK()
	return nil
}
