package command

import (
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
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
			&Command{Name: "usage", Arity: -3, Flags: ReadOnly | Silent, Keys: KeySpec{First: 2, Last: 2, Step: 1}, Use: "RO", Group: group, Since: "4.0.0", Summary: "Estimates the bytes that a key takes.", Run: memoryUsage},
			&Command{Name: "doctor", Arity: 2, Flags: Session, Tips: "nondeterministic_output request_policy:all_shards response_policy:special", Group: group, Since: "4.0.0", Summary: "Says what is wrong with the server's memory."},
			&Command{Name: "purge", Arity: 2, Flags: Session, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: group, Since: "4.0.0", Summary: "Accepted without effect: nothing is kept in memory."},
			&Command{Name: "stats", Arity: 2, Flags: Session, Tips: "nondeterministic_output request_policy:all_shards response_policy:special", Group: group, Since: "4.0.0", Summary: "Tells what the server's memory is used for."},
			Help(group, "4.0.0",
				"USAGE <key> [SAMPLES <count>]", "    Estimate the bytes that the key and its value take, from <count>",
				"    of its elements (default: 5, 0 means all)."),
		)},
		{Name: "config", Arity: -2, Group: group, Since: "2.0.0", Summary: "Reads and sets the configuration.", Subcommands: Subcommands(
			&Command{Name: "get", Arity: -3, Flags: Admin | NoScript, Group: group, Since: "2.0.0", Summary: "Returns parameters that match patterns.", Run: configGet},
			&Command{Name: "set", Arity: -4, Flags: Admin | NoScript, Tips: "request_policy:all_nodes response_policy:all_succeeded", Group: group, Since: "2.0.0", Summary: "Sets parameters.", Run: configSet, Outside: configSetAlone},
			&Command{Name: "resetstat", Arity: 2, Flags: Admin | NoScript, Group: group, Since: "2.0.0", Summary: "Makes the figures of INFO begin anew that are counted.", Run: configResetStat},
			Help(group, "5.0.0",
				"GET <pattern> [<pattern> ...]", "    Parameters that match the glob-like patterns, with their values.",
				"SET <directive> <value> [<directive> <value> ...]", "    Set parameters.",
				"RESETSTAT", "    Count anew what INFO reports of commands and errors."),
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

// notifyParam is the one parameter that can be set: which keyspace events are told of.
const notifyParam = "notify-keyspace-events"

// CONFIG GET parameter [parameter ...]
func configGet(c *Call) error {
	mark, n := c.W.Mark(), 0
	for _, p := range parametersOf(c) {
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

// parametersOf are the parameters, with their values.
func parametersOf(c *Call) [][2]string {
	return append(parametersFor(serverOf(c.Txn.Context())), [2]string{notifyParam, c.Txn.Database().Events.String()})
}

// CONFIG SET parameter value [parameter value ...]
//
// It answers when all engines know.
func configSetAlone(o *Outside) error {
	events, given, err := configArgs(o.Args, serverOf(o.Context))
	if err == nil && given {
		err = o.Host.SetEvents(o.Context, o.Database, events)
	}
	if err == nil {
		o.W.OK()
	}
	return err
}

// configSet is the same in a transaction, where it can change nothing.
func configSet(c *Call) error {
	events, given, err := configArgs(c.Args, serverOf(c.Txn.Context()))
	switch {
	case err != nil:
		return err
	case given && events != c.Txn.Database().Events:
		return errConfig(notifyParam, "it cannot be set in a transaction")
	}
	c.W.OK()
	return nil
}

// configArgs reads the arguments of CONFIG SET: the events to tell of, if they are given. Other parameters
// that there are accept the value that they have, but for those of the server of connections.
func configArgs(args []string, server *ServerInfo) (events keyspace.Events, given bool, err error) {
	if len(args)%2 != 0 {
		return 0, false, ErrSyntax
	}
	for i := 2; i < len(args); i += 2 {
		name, value := strings.ToLower(args[i]), args[i+1]
		if name == notifyParam {
			if given {
				return 0, false, errConfig(name, "duplicate parameter")
			}
			if events, given = keyspace.ParseEvents(value); !given {
				return 0, false, errConfig(name, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
			}
			continue
		}
		if server != nil && server.Set != nil {
			if known, err := server.Set(name, value); err != nil {
				return 0, false, errConfig(name, err.Error())
			} else if known {
				continue
			}
		}
		if err := setFixed(server, name, value); err != nil {
			return 0, false, err
		}
	}
	return events, given, nil
}

func errConfig(name, why string) Error {
	return Error("ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why)
}

// CONFIG RESETSTAT
func configResetStat(c *Call) error {
	if server := serverOf(c.Txn.Context()); server != nil && server.ResetStat != nil {
		server.ResetStat()
	}
	c.W.OK()
	return nil
}
