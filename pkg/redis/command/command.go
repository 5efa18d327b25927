package command

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Flags say what a command does; names and meaning as in COMMAND INFO
// (https://redis.io/docs/latest/commands/command/).
type Flags uint32

const (
	Write     Flags = 1 << iota // may change data
	ReadOnly                    // reads data
	Fast                        // O(1) or O(log n)
	Admin                       // administration
	Blocking                    // it may wait, see Call.block
	Walks                       // reads the whole keyspace: refused to read-only tokens
	Session                     // bound to a connection: refused where there is none
	NoScript                    // not allowed in scripts
	Movable                     // key positions depend on the arguments
	DenyOOM                     // may need memory
	Whole                       // acts on the whole database, outside of transactions
	Divisible                   // too many keys for one transaction may be taken in several
	Scripting                   // runs other commands, which may read and write any keys
	Publishes                   // sends messages, which like writing takes more than a right to read
	Harmless                    // tells nothing of the data and changes nothing: what a right to read is enough for
	Silent                      // that a key it reads is not there is no keyspace event
	noauth                      // for everybody, also before a login
)

// KeySpec says which arguments are keys, as in COMMAND INFO: the first, the
// last (negative: from the end), and the distance between them. With numkeys,
// the argument of that index holds the number of keys that follow it.
type KeySpec struct {
	First, Last, Step int
	Numkeys           int
}

// KeySearch is a place of keys that follow a keyword, or that cannot be told from where arguments stand.
type KeySearch struct {
	Keyword           string // "": it cannot be told
	From              int    // index of the first argument that may be the keyword
	Last, Step, Limit int    // as in COMMAND INFO: the last key, counted from the first or from the end; a limit of 2 is half of the rest
	Use               string
}

// Places of keys that many commands have.
var (
	NoKeys   = KeySpec{}
	OneKey   = KeySpec{First: 1, Last: 1, Step: 1}
	TwoKeys  = KeySpec{First: 1, Last: 2, Step: 1}
	AllKeys  = KeySpec{First: 1, Last: -1, Step: 1}
	PairKeys = KeySpec{First: 1, Last: -1, Step: 2}
)

// Command declares one command. COMMAND, permissions, metering and the
// documentation derive from it.
type Command struct {
	Name    string // lower case; a subcommand's own name
	Arity   int    // arguments with the name; negative: at least
	Flags   Flags
	Keys    KeySpec
	Use     string                     // what is done to the keys, in the words of COMMAND INFO; "": "RO access", or "RW access update" if it writes
	UseThen string                     // optional: to those behind the first key, or that are counted, if it is something else
	Further []KeySearch                // optional: where other keys are
	UseIn   func(args []string) string // optional: what is done with given arguments, which are valid in number only
	Words   string                     // further flags in COMMAND INFO, which mean nothing here, separated by blanks
	Tips    string                     // hints for clients, as in COMMAND INFO, separated by blanks
	Group   string                     // "string", "hash" ...: the ACL category and the COMMAND DOCS group
	Since   string
	Summary string
	Event   string // optional: the keyspace event of each key that it has changed, of the class of its group

	Run         func(c *Call) error            // works in a transaction
	Outside     func(o *Outside) error         // optional: the form outside of transactions, for what no transaction can do
	Direct      func(d *Direct) *keyspace.Plan // optional: the blind form; nil plan: not for these arguments
	Getkeys     func(args []string) []string   // optional: keys that KeySpec cannot express; args are valid in number only
	Subcommands map[string]*Command            // subcommands; run is nil then, but for COMMAND

	parent string // of a subcommand, the name of its command; see Table.Add
	number int    // see Number
}

// Call is one execution of a command inside a transaction.
type Call struct {
	Txn     *keyspace.Txn
	Command *Command
	Args    []string // with the command's name; for a subcommand, with both names
	W       *resp.Writer

	Host     *Host
	Access   Access // the caller's
	Multi    bool   // one of several commands
	Event    string // what the command has done, if it is not the event that it has in the table
	MayBlock bool   // a command that finds nothing may ask to be run again later
	Woken    bool   // it has waited already
	Scripted bool   // a script runs it
	// Monitor is told what a script runs; nil: nobody is.
	Monitor func(cmd *Command, args []string)
}

// Host is what commands know of the engine that runs them.
type Host struct {
	Commands Table
	Now      func() time.Time
	Started  time.Time
	Random   *rand.Rand
	MaxReply int // bytes
	// SetEvents makes a database tell of keyspace events, from when it returns on.
	SetEvents func(ctx context.Context, db string, events keyspace.Events) error
	// Awaited counts the keys that commands wait for in a database: all, and those whose end ends a command too.
	Awaited func(db string) (keys, gone int)
}

// Is reports whether argument i is a word, in any case.
func (c *Call) Is(i int, word string) bool { return strings.EqualFold(c.Args[i], word) }

// Int parses argument i as a 64-bit integer.
func (c *Call) Int(i int) (int64, error) {
	n, ok := num.ParseInt(c.Args[i])
	if !ok {
		return 0, ErrNotInteger
	}
	return n, nil
}

// Has reports whether the command has any of some flags.
func (cmd *Command) Has(f Flags) bool { return cmd.Flags&f != 0 }

// MayWrite reports whether the command may change data or send messages, by itself or through others.
func (cmd *Command) MayWrite() bool {
	return cmd.Has(Write|Publishes) || cmd.Has(Scripting) && !cmd.Has(ReadOnly)
}

// KeysOf lists the keys among valid arguments. Malformed counts give no keys:
// the command itself will report them.
func (cmd *Command) KeysOf(args []string) []string {
	if cmd.Getkeys != nil {
		return cmd.Getkeys(args)
	}
	s := cmd.Keys
	if s.First == 0 && s.Numkeys == 0 {
		return nil
	}
	if s.First == 1 && s.Last == 1 && s.Numkeys == 0 {
		return args[1:2:2] // callers append to it
	}
	var keys []string
	if s.First > 0 {
		last := s.Last
		if last < 0 {
			last += len(args)
		}
		for i := s.First; i <= last && i < len(args); i += s.Step {
			keys = append(keys, args[i])
		}
	}
	if s.Numkeys > 0 && s.Numkeys < len(args) {
		n, ok := num.ParseInt(args[s.Numkeys])
		rest := args[s.Numkeys+1:]
		if ok && n > 0 && n <= int64(len(rest)) {
			keys = append(keys, rest[:n]...)
		}
	}
	return keys
}

// checkArity reports whether the number of arguments fits.
func (cmd *Command) checkArity(args []string) error {
	if !Fits(cmd.Arity, len(args)) {
		return errArity(cmd.FullName(args))
	}
	return nil
}

// Fits reports whether n words, with the name, are right for an arity.
func Fits(arity, n int) bool { return n == arity || arity < 0 && n >= -arity }

// FullName is the name in error texts: "get", "client|setname".
func (cmd *Command) FullName(args []string) string {
	name := strings.ToLower(args[0])
	if name != cmd.Name {
		return name + "|" + cmd.Name
	}
	return name
}

// Table holds all commands by their lower-case names.
type Table map[string]*Command

// NewTable makes the table of the commands that work on keys, and of others.
func NewTable(others ...[]*Command) Table {
	t := Table{}
	for _, group := range append([][]*Command{
		connectionCommands(), serverCommands(), genericCommands(), stringCommands(), bitmapCommands(),
		hashCommands(), listCommands(), setCommands(), zsetCommands(), geoCommands(), hllCommands(),
		streamCommands(), jsonCommands(), sessionCommands(),
	}, others...) {
		t.Add(group)
	}
	return t
}

// Add adds commands, also some whose code uses the table. It is called before the table is used.
func (t Table) Add(cmds []*Command) {
	n := t.Size()
	number := func(cmd *Command) { cmd.number, n = n, n+1 }
	for _, cmd := range cmds {
		if t[cmd.Name] != nil {
			panic("redis: two commands have the name " + cmd.Name)
		}
		t[cmd.Name] = cmd
		number(cmd)
		for _, sub := range cmd.Subcommands {
			sub.parent = cmd.Name
			number(sub)
		}
	}
}

// Size is how many commands and subcommands there are.
func (t Table) Size() (n int) {
	for _, cmd := range t {
		n += 1 + len(cmd.Subcommands)
	}
	return n
}

// Number tells the command from all others of its table, whose numbers are 0 to Table.Size()-1.
func (cmd *Command) Number() int { return cmd.number }

// Full is the command's full name: "get", "client|setname".
func (cmd *Command) Full() string {
	if cmd.parent == "" {
		return cmd.Name
	}
	return cmd.parent + "|" + cmd.Name
}

// Of is the command, or subcommand, that args begin with, or nil. Their number does not matter.
func (t Table) Of(args []string) *Command {
	cmd := t.Named(args[0])
	if cmd != nil && cmd.Subcommands != nil && len(args) > 1 {
		if sub := cmd.Subcommands[strings.ToLower(args[1])]; sub != nil {
			return sub
		}
	}
	return cmd
}

// Find looks up the command of args, which is not empty, and checks the number
// of its arguments.
func (t Table) Find(args []string) (*Command, error) {
	cmd := t.Named(args[0])
	if cmd == nil {
		return nil, ErrUnknown(args[0])
	}
	if cmd.Subcommands != nil {
		if len(args) < 2 {
			if cmd.Run != nil {
				return cmd, nil
			}
			return nil, errArity(args[0])
		}
		sub := cmd.Subcommands[strings.ToLower(args[1])]
		if sub == nil {
			return nil, ErrUnknownSub(args[0], args[1])
		}
		cmd = sub
	}
	if err := cmd.checkArity(args); err != nil {
		return nil, err
	}
	return cmd, nil
}

// ReplySlack is how many bytes more than MaxReply a reply may have while it is being made.
const ReplySlack = 1 << 10

// Outside is one execution of a command outside of transactions.
type Outside struct {
	Context  context.Context
	Database string   // the database's id
	Args     []string // with the command's name; for a subcommand, with both names
	W        *resp.Writer
	Host     *Host
}

// NotInTransaction is the Run of commands that only have a form outside of transactions: it refuses them.
func NotInTransaction(c *Call) error {
	return Error("ERR " + strings.ToUpper(strings.ReplaceAll(c.Command.FullName(c.Args), "|", " ")) + " is not possible in a transaction")
}

// CheckFlushArgs refuses what is no command that flushes something: its name, then ASYNC, SYNC or nothing.
func CheckFlushArgs(args []string) error {
	if len(args) == 1 || len(args) == 2 && (strings.EqualFold(args[1], "async") || strings.EqualFold(args[1], "sync")) {
		return nil
	}
	return ErrSyntax
}

// Names reports whether there is a command, or subcommand, of the name that args start with.
func (t Table) Names(args []string) bool {
	cmd := t[strings.ToLower(args[0])]
	if cmd == nil {
		return false
	}
	return cmd.Subcommands == nil || len(args) == 1 || cmd.Subcommands[strings.ToLower(args[1])] != nil
}

// Each lists all commands that there can be rules for, with their full names.
func (t Table) Each(yield func(full string, cmd *Command)) {
	for _, cmd := range t {
		if cmd.Subcommands == nil || cmd.Run != nil {
			yield(cmd.Name, cmd)
		}
		for _, sub := range cmd.Subcommands {
			yield(cmd.Name+"|"+sub.Name, sub)
		}
	}
}

// keyUse says what a command does to its i-th key, by the command table. A script's keys need no more than reading: what
// its commands do to them is checked for each command.
func (cmd *Command) keyUse(args []string, i int) (reads, writes bool) {
	if !cmd.Has(Write) {
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

// Named is the command of a name in any case, or nil.
func (t Table) Named(name string) *Command {
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

// Here reports whether the engine itself can carry the command out.
func (cmd *Command) Here() bool { return cmd.Run != nil || cmd.Outside != nil }

// Elsewhere reports whether the command and all of its subcommands are for servers of connections only.
func (cmd *Command) Elsewhere() bool {
	for _, sub := range cmd.Subcommands {
		if sub.Has(Session) && sub.Here() {
			return false
		}
	}
	return cmd.Has(Session) && !cmd.Here()
}
