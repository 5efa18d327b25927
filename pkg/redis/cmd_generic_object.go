package redis

import (
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// OBJECT ENCODING, FREQ, IDLETIME, REFCOUNT, HELP.
//
// Values have neither of Redis's encodings here. The names are those that Redis
// 7.2 would have chosen with its default configuration.

func objectCommand() *command {
	const f = readonly
	key := keySpec{first: 2, last: 2, step: 1}
	return &command{name: "object", arity: -2, group: "generic", since: "2.2.3", summary: "Looks into the representation of values.",
		subs: subcommands(
			&command{name: "encoding", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "2.2.3", summary: "Returns the name of the encoding Redis would use.", run: objectEncoding},
			&command{name: "freq", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "4.0.0", summary: "Access frequencies are not recorded.", run: objectFreq},
			&command{name: "idletime", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "2.2.3", summary: "Accesses are not recorded: always 0.", run: objectIdleTime},
			&command{name: "refcount", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "2.2.3", summary: "Returns the number of references to the value.", run: objectRefCount},
			helpCommand("generic", "6.2.0",
				"ENCODING <key>", "    Name the encoding that Redis would use for the key's value.",
				"FREQ <key>", "    Not available: access frequencies are not recorded.",
				"IDLETIME <key>", "    Always 0: accesses are not recorded.",
				"REFCOUNT <key>", "    Number of references to the key's value."),
		)}
}

// subcommands indexes subcommands by name.
func subcommands(cmds ...*command) map[string]*command {
	m := make(map[string]*command, len(cmds))
	for _, cmd := range cmds {
		m[cmd.name] = cmd
	}
	return m
}

// helpCommand is the HELP subcommand with its lines, to which it adds its own.
func helpCommand(group, since string, lines ...string) *command {
	return &command{name: "help", arity: 2, flags: harmless, group: group, since: since, summary: "Lists the subcommands.", run: func(c *call) error {
		c.w.Array(len(lines) + 3)
		c.w.Simple(strings.ToUpper(c.args[0]) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
		for _, line := range lines {
			c.w.Simple(line)
		}
		c.w.Simple("HELP")
		c.w.Simple("    Print this help.")
		return nil
	}}
}

// OBJECT ENCODING key
func objectEncoding(c *call) error {
	o := c.tx.entry(c.args[2]).obj
	if o == nil {
		c.w.Null()
		return nil
	}
	c.w.Bulk(c.tx.encodingOf(o))
	return nil
}

// Redis's default thresholds between compact and general encodings.
const (
	embstrLimit        = 44      // bytes of a string allocated together with its object
	listpackListBytes  = 8 << 10 // list-max-listpack-size -2
	listpackHashLen    = 512     // hash-max-listpack-entries
	listpackSetLen     = 128     // set-max-listpack-entries
	listpackZSetLen    = 128     // zset-max-listpack-entries
	listpackEntryBytes = 64      // *-max-listpack-value
	intsetLen          = 512     // set-max-intset-entries
	sharedIntegers     = 10000   // small integers that all keys share
)

// encodingOf is the encoding that Redis would have chosen for a value.
func (tx *Txn) encodingOf(o *object) string {
	switch o.typ {
	case typeString:
		if o.str.size > embstrLimit {
			return "raw"
		}
		if _, ok := num.ParseInt(tx.stringOf(o)); ok {
			return "int"
		}
		return "embstr"
	case typeList:
		size := 0
		for v := range o.list.From(0, 256) {
			if size += len(v) + 2; size > listpackListBytes {
				return "quicklist"
			}
		}
		return "listpack"
	case typeHash:
		if o.members.compact(listpackHashLen, true) {
			return "listpack"
		}
		return "hashtable"
	case typeZSet:
		if o.members.compact(listpackZSetLen, false) {
			return "listpack"
		}
		return "skiplist"
	case typeSet:
		switch {
		case o.members.integers():
			return "intset"
		case o.members.compact(listpackSetLen, false):
			return "listpack"
		}
		return "hashtable"
	case typeStream:
		return "stream"
	}
	return "raw"
}

// compact reports whether there are at most n members, and all of them, with
// values their values too, are short.
func (ms *members) compact(n int64, values bool) bool {
	if ms.len() > n {
		return false
	}
	for p := range ms.all() {
		if len(p.Name) > listpackEntryBytes || values && p.value.len() > listpackEntryBytes {
			return false
		}
	}
	return true
}

// integers reports whether the members are few and all integers.
func (ms *members) integers() bool {
	if ms.len() > intsetLen {
		return false
	}
	for p := range ms.all() {
		if _, ok := num.ParseInt(p.Name); !ok {
			return false
		}
	}
	return true
}

// OBJECT FREQ key
func objectFreq(c *call) error {
	if !c.tx.Exists(c.args[2]) {
		c.w.Null()
		return nil
	}
	return Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
}

// OBJECT IDLETIME key
func objectIdleTime(c *call) error {
	if !c.tx.Exists(c.args[2]) {
		c.w.Null()
		return nil
	}
	c.w.Int(0)
	return nil
}

// OBJECT REFCOUNT key
func objectRefCount(c *call) error {
	o := c.tx.entry(c.args[2]).obj
	if o == nil {
		c.w.Null()
		return nil
	}
	if o.typ == typeString && o.str.size <= 4 {
		if n, err := strconv.ParseUint(c.tx.stringOf(o), 10, 32); err == nil && n < sharedIntegers && strconv.FormatUint(n, 10) == c.tx.stringOf(o) {
			c.w.Int(1<<31 - 1)
			return nil
		}
	}
	c.w.Int(1)
	return nil
}
