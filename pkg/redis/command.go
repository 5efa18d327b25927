package redis

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// flags say what a command does; names and meaning as in COMMAND INFO
// (https://redis.io/docs/latest/commands/command/).
type flags uint32

const (
	write     flags = 1 << iota // may change data
	readonly                    // reads data
	fast                        // O(1) or O(log n)
	admin                       // administration
	blocking                    // it may wait, see block.go
	walks                       // reads the whole keyspace: refused to read-only tokens
	session                     // bound to a connection: refused where there is none
	noscript                    // not allowed in scripts
	movable                     // key positions depend on the arguments
	denyoom                     // may need memory
	whole                       // acts on the whole database, outside of transactions
	divisible                   // too many keys for one transaction may be taken in several
	scripting                   // runs other commands, which may read and write any keys
	publishes                   // sends messages, which like writing takes more than a right to read
	harmless                    // tells nothing of the data and changes nothing: what a right to read is enough for
	noauth                      // for everybody, also before a login
)

// keySpec says which arguments are keys, as in COMMAND INFO: the first, the
// last (negative: from the end), and the distance between them. With numkeys,
// the argument of that index holds the number of keys that follow it.
type keySpec struct {
	first, last, step int
	numkeys           int
}

// keySearch is a place of keys that follow a keyword, or that cannot be told from where arguments stand.
type keySearch struct {
	keyword           string // "": it cannot be told
	from              int    // index of the first argument that may be the keyword
	last, step, limit int    // as in COMMAND INFO: the last key, counted from the first or from the end; a limit of 2 is half of the rest
	use               string
}

var (
	noKeys   = keySpec{}
	oneKey   = keySpec{first: 1, last: 1, step: 1}
	twoKeys  = keySpec{first: 1, last: 2, step: 1}
	allKeys  = keySpec{first: 1, last: -1, step: 1}
	pairKeys = keySpec{first: 1, last: -1, step: 2}
)

// command declares one command. COMMAND, permissions, metering and the
// documentation derive from it.
type command struct {
	name    string // lower case; a subcommand's own name
	arity   int    // arguments with the name; negative: at least
	flags   flags
	keys    keySpec
	use     string                     // what is done to the keys, in the words of COMMAND INFO; "": "RO access", or "RW access update" if it writes
	then    string                     // optional: to those behind the first key, or that are counted, if it is something else
	further []keySearch                // optional: where other keys are
	useIn   func(args []string) string // optional: what is done with given arguments, which are valid in number only
	words   string                     // further flags in COMMAND INFO, which mean nothing here, separated by blanks
	tips    string                     // hints for clients, as in COMMAND INFO, separated by blanks
	group   string                     // "string", "hash" ...: the ACL category and the COMMAND DOCS group
	since   string
	summary string

	run     func(c *call) error          // works in a transaction
	outside func(o *outsider) error      // optional: the form outside of transactions, for what no transaction can do
	direct  func(d *direct) *plan        // optional: the blind form; nil plan: not for these arguments
	getkeys func(args []string) []string // optional: keys that keySpec cannot express; args are valid in number only
	subs    map[string]*command          // subcommands; run is nil then, but for COMMAND

	parent string // of a subcommand, the name of its command; see newCommandTable
}

// call is one execution of a command inside a transaction.
type call struct {
	tx   *Txn
	cmd  *command
	args []string // with the command's name; for a subcommand, with both names
	w    *resp.Writer

	host     *host
	access   Access // the caller's
	multi    bool   // one of several commands
	mayBlock bool   // a command that finds nothing may ask to be run again later
}

// host is what commands know of the engine that runs them.
type host struct {
	commands commandTable
	now      func() time.Time
	started  time.Time
	random   *rand.Rand
	maxReply int // bytes
}

// is reports whether argument i is a word, in any case.
func (c *call) is(i int, word string) bool { return strings.EqualFold(c.args[i], word) }

// int parses argument i as a 64-bit integer.
func (c *call) int(i int) (int64, error) {
	n, ok := num.ParseInt(c.args[i])
	if !ok {
		return 0, errNotInteger
	}
	return n, nil
}

func (cmd *command) has(f flags) bool { return cmd.flags&f != 0 }

// mayWrite reports whether the command may change data or send messages, by itself or through others.
func (cmd *command) mayWrite() bool {
	return cmd.has(write|publishes) || cmd.has(scripting) && !cmd.has(readonly)
}

// keysOf lists the keys among valid arguments. Malformed counts give no keys:
// the command itself will report them.
func (cmd *command) keysOf(args []string) []string {
	if cmd.getkeys != nil {
		return cmd.getkeys(args)
	}
	s := cmd.keys
	if s.first == 0 && s.numkeys == 0 {
		return nil
	}
	if s.first == 1 && s.last == 1 && s.numkeys == 0 {
		return args[1:2:2] // callers append to it
	}
	var keys []string
	if s.first > 0 {
		last := s.last
		if last < 0 {
			last += len(args)
		}
		for i := s.first; i <= last && i < len(args); i += s.step {
			keys = append(keys, args[i])
		}
	}
	if s.numkeys > 0 && s.numkeys < len(args) {
		n, ok := num.ParseInt(args[s.numkeys])
		rest := args[s.numkeys+1:]
		if ok && n > 0 && n <= int64(len(rest)) {
			keys = append(keys, rest[:n]...)
		}
	}
	return keys
}

// checkArity reports whether the number of arguments fits.
func (cmd *command) checkArity(args []string) error {
	if !fits(cmd.arity, len(args)) {
		return errArity(cmd.fullName(args))
	}
	return nil
}

// fits reports whether n words, with the name, are right for an arity.
func fits(arity, n int) bool { return n == arity || arity < 0 && n >= -arity }

// fullName is the name in error texts: "get", "client|setname".
func (cmd *command) fullName(args []string) string {
	name := strings.ToLower(args[0])
	if name != cmd.name {
		return name + "|" + cmd.name
	}
	return name
}

// commandTable holds all commands by their lower-case names.
type commandTable map[string]*command

// newCommandTable makes the table of the commands that work on keys, and of others.
func newCommandTable(others ...[]*command) commandTable {
	t := commandTable{}
	for _, group := range append([][]*command{
		connectionCommands(), serverCommands(), genericCommands(), stringCommands(), bitmapCommands(),
		hashCommands(), listCommands(), setCommands(), zsetCommands(), geoCommands(), hllCommands(),
		streamCommands(), jsonCommands(), sessionCommands(),
	}, others...) {
		for _, cmd := range group {
			if t[cmd.name] != nil {
				panic("redis: two commands have the name " + cmd.name)
			}
			t[cmd.name] = cmd
			for _, sub := range cmd.subs {
				sub.parent = cmd.name
			}
		}
	}
	return t
}

// find looks up the command of args, which is not empty, and checks the number
// of its arguments.
func (t commandTable) find(args []string) (*command, error) {
	cmd := t.named(args[0])
	if cmd == nil {
		return nil, errUnknown(args[0])
	}
	if cmd.subs != nil {
		if len(args) < 2 {
			if cmd.run != nil {
				return cmd, nil
			}
			return nil, errArity(args[0])
		}
		sub := cmd.subs[strings.ToLower(args[1])]
		if sub == nil {
			return nil, errUnknownSub(args[0], args[1])
		}
		cmd = sub
	}
	if err := cmd.checkArity(args); err != nil {
		return nil, err
	}
	return cmd, nil
}

// outsider is one execution of a command outside of transactions.
type outsider struct {
	ctx  context.Context
	db   string   // the database's id
	args []string // with the command's name; for a subcommand, with both names
	w    *resp.Writer
}

// names reports whether there is a command, or subcommand, of the name that args start with.
func (t commandTable) names(args []string) bool {
	cmd := t[strings.ToLower(args[0])]
	if cmd == nil {
		return false
	}
	return cmd.subs == nil || len(args) == 1 || cmd.subs[strings.ToLower(args[1])] != nil
}

// each lists all commands that there can be rules for, with their full names.
func (t commandTable) each(yield func(full string, cmd *command)) {
	for _, cmd := range t {
		if cmd.subs == nil || cmd.run != nil {
			yield(cmd.name, cmd)
		}
		for _, sub := range cmd.subs {
			yield(cmd.name+"|"+sub.name, sub)
		}
	}
}

// keyUse says what a command does to its i-th key, by the command table. A script's keys need no more than reading: what
// its commands do to them is checked for each command.
func (cmd *command) keyUse(args []string, i int) (reads, writes bool) {
	if !cmd.has(write) {
		return true, false
	}
	for _, word := range strings.Fields(cmd.useWith(args, i)) {
		switch word {
		case "access":
			reads = true
		case "insert", "update", "delete":
			writes = true
		}
	}
	return reads, writes
}

// named is the command of a name in any case, or nil.
func (t commandTable) named(name string) *command {
	if cmd := t[name]; cmd != nil {
		return cmd
	}
	var lower [32]byte
	if len(name) > len(lower) {
		return nil
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return t[string(lower[:len(name)])]
}

// here reports whether the engine itself can carry the command out.
func (cmd *command) here() bool { return cmd.run != nil || cmd.outside != nil }

// elsewhere reports whether the command and all of its subcommands are for servers of connections only.
func (cmd *command) elsewhere() bool {
	for _, sub := range cmd.subs {
		if sub.has(session) && sub.here() {
			return false
		}
	}
	return cmd.has(session) && !cmd.here()
}
