package command

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// COMMAND, COMMAND COUNT, DOCS, GETKEYS, GETKEYSANDFLAGS, INFO, LIST, HELP.

func commandCommand() *Command {
	const group = "server"
	return &Command{Name: "command", Arity: -1, Flags: Harmless, Tips: "nondeterministic_output_order", Group: group, Since: "2.8.13", Summary: "Describes the commands.", Run: commandAll,
		Subcommands: Subcommands(
			&Command{Name: "count", Arity: 2, Flags: Harmless, Group: group, Since: "2.8.13", Summary: "Returns the number of commands.", Run: commandCount},
			&Command{Name: "docs", Arity: -2, Flags: Harmless, Tips: "nondeterministic_output_order", Group: group, Since: "7.0.0", Summary: "Returns the commands' documentation.", Run: commandDocs},
			&Command{Name: "getkeys", Arity: -3, Flags: Harmless, Group: group, Since: "2.8.13", Summary: "Returns the keys among a command's arguments.", Run: commandGetKeys},
			&Command{Name: "getkeysandflags", Arity: -3, Flags: Harmless, Group: group, Since: "7.0.0", Summary: "Returns the keys among a command's arguments, and what is done to them.", Run: commandGetKeys},
			&Command{Name: "info", Arity: -2, Flags: Harmless, Tips: "nondeterministic_output_order", Group: group, Since: "2.8.13", Summary: "Returns arity, flags and key positions of commands.", Run: commandInfo},
			&Command{Name: "list", Arity: -2, Flags: Harmless, Tips: "nondeterministic_output_order", Group: group, Since: "7.0.0", Summary: "Returns the names of the commands.", Run: commandList},
			Help(group, "5.0.0",
				"(no subcommand)", "    Arity, flags and key positions of all commands.",
				"COUNT", "    Number of commands.",
				"DOCS [<command-name> ...]", "    Documentation of the commands, or of all.",
				"GETKEYS <full-command>", "    Keys among the arguments of a command.",
				"GETKEYSANDFLAGS <full-command>", "    Keys among the arguments of a command, and what is done to them.",
				"INFO [<command-name> ...]", "    Arity, flags and key positions of the commands, or of all.",
				"LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]", "    Names of the commands."),
		)}
}

// Sorted lists commands in order of their names.
func Sorted(cmds map[string]*Command) []*Command {
	out := make([]*Command, 0, len(cmds))
	for _, name := range slices.Sorted(maps.Keys(cmds)) {
		out = append(out, cmds[name])
	}
	return out
}

// Lookup finds a command or, as "config|get", a subcommand.
func (t Table) Lookup(name string) *Command {
	parent, sub, isSub := strings.Cut(strings.ToLower(name), "|")
	cmd := t[parent]
	if isSub && cmd != nil {
		return cmd.Subcommands[sub]
	}
	return cmd
}

// describeWork is what describing a command, or looking at its categories, costs. See Budget.
const describeWork = 2_000

// describe counts the work of describing a command with its subcommands.
func (c *Call) describe(cmd *Command) error {
	c.Txn.Spend(describeWork * int64(1+len(cmd.Subcommands)))
	return c.Txn.Err()
}

// COMMAND
func commandAll(c *Call) error {
	t := c.Host.Commands
	c.W.Array(len(t))
	for _, cmd := range Sorted(t) {
		if err := c.describe(cmd); err != nil {
			return err
		}
		writeInfo(c.W, cmd, cmd.Name)
	}
	return nil
}

// COMMAND COUNT
func commandCount(c *Call) error {
	c.W.Int(int64(len(c.Host.Commands)))
	return nil
}

// COMMAND INFO [command-name [command-name ...]]
func commandInfo(c *Call) error {
	t := c.Host.Commands
	if len(c.Args) == 2 {
		return commandAll(c)
	}
	c.W.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		cmd := t.Lookup(name)
		if cmd == nil {
			c.W.Null()
			continue
		}
		if err := c.describe(cmd); err != nil {
			return err
		}
		writeInfo(c.W, cmd, strings.ToLower(name))
	}
	return nil
}

// writeInfo writes a command as COMMAND INFO has it: name, arity, flags, first,
// last and step of its keys, ACL categories, tips, key specifications, subcommands.
func writeInfo(w *resp.Writer, cmd *Command, fullName string) {
	w.Array(10)
	w.Bulk(fullName)
	w.Int(int64(cmd.Arity))
	WriteWords(w, cmd.FlagNames())
	for _, n := range []int{cmd.Keys.First, cmd.Keys.Last, cmd.Keys.Step} {
		w.Int(int64(n))
	}
	WriteWords(w, cmd.Categories())
	tips := strings.Fields(cmd.Tips)
	w.Array(len(tips))
	for _, tip := range tips {
		w.Bulk(tip)
	}
	writeKeySpecs(w, cmd)
	w.Array(len(cmd.Subcommands))
	for _, sub := range Sorted(cmd.Subcommands) {
		writeInfo(w, sub, fullName+"|"+sub.Name)
	}
}

// WriteWords replies with a set of simple strings.
func WriteWords(w *resp.Writer, words []string) {
	w.Set(len(words))
	for _, word := range words {
		w.Simple(word)
	}
}

// container reports whether the command is but a name for its subcommands.
func (cmd *Command) container() bool { return cmd.Run == nil && cmd.Subcommands != nil }

// FlagNames are the command's flags in COMMAND INFO's words.
func (cmd *Command) FlagNames() []string {
	if cmd.container() {
		return nil
	}
	var names []string
	add := func(is bool, name string) {
		if is {
			names = append(names, name)
		}
	}
	for _, f := range []struct {
		flag Flags
		name string
	}{
		{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {NoScript, "noscript"},
		{Blocking, "blocking"}, {Fast, "fast"}, {Movable, "movablekeys"}, {Scripting, "no_mandatory_keys"},
	} {
		add(cmd.Has(f.flag), f.name)
	}
	add(cmd.Group == "pubsub" && cmd.Name != "help", "pubsub")
	names = append(names, strings.Fields(cmd.Words)...)
	add(cmd.Group == "scripting" && (cmd.Name == "kill" || cmd.Name == "stats"), "allow_busy")
	return names
}

// dataCategories are the ACL categories of the command groups that hold data.
var dataCategories = map[string]string{
	"generic": "@keyspace", "string": "@string", "list": "@list", "set": "@set", "hash": "@hash",
	"zset": "@sortedset", "sorted-set": "@sortedset", "bitmap": "@bitmap", "geo": "@geo", "hll": "@hyperloglog",
	"hyperloglog": "@hyperloglog", "stream": "@stream", "pubsub": "@pubsub", "connection": "@connection",
	"transactions": "@transaction", "scripting": "@scripting", "json": "@json",
}

// ownCategories are those of commands that the group does not tell.
var ownCategories = map[string][]string{
	"sort": {"@list", "@set", "@sortedset"}, "sort_ro": {"@list", "@set", "@sortedset"},
	"wait": {"@connection"}, "waitaof": {"@connection"}, "command": {"@connection"},
	"role": {"@admin", "@dangerous"}, "lastsave": {"@admin", "@dangerous"},
}

// Categories are the command's ACL categories.
func (cmd *Command) Categories() []string {
	if cmd.container() {
		return []string{"@slow"}
	}
	var names []string
	add := func(is bool, name string) {
		if is {
			names = append(names, name)
		}
	}
	switch own, group := ownCategories[cmd.parentName()], dataCategories[cmd.Group]; {
	case own != nil:
		names = append(names, own...)
	case cmd.Name != "help" || cmd.Group != "pubsub":
		add(group != "", group)
	}
	runs := cmd.Has(Scripting) // what it does is not known before it runs
	add(cmd.Has(Write) && !runs, "@write")
	add(cmd.Has(ReadOnly) && !runs, "@read")
	add(cmd.Has(Whole) || cmd.Name == "swapdb" || cmd.Name == "dbsize", "@keyspace")
	add(cmd.Has(Admin), "@admin")
	add(cmd.Has(Admin|Whole) || cmd.parent == "" && dangerous[cmd.Name], "@dangerous")
	add(cmd.Has(Blocking), "@blocking")
	add(cmd.Has(Fast), "@fast")
	add(!cmd.Has(Fast), "@slow")
	return names
}

// parentName is the name of the command that a subcommand belongs to, or its own.
func (cmd *Command) parentName() string { return cmp.Or(cmd.parent, cmd.Name) }

// dangerous commands are those that Redis counts so beside administration and flushing.
var dangerous = map[string]bool{"keys": true, "sort": true, "sort_ro": true, "restore": true, "swapdb": true, "info": true}

// writeKeySpecs writes where the keys are, in the form of Redis 7's key specifications.
func writeKeySpecs(w *resp.Writer, cmd *Command) {
	s := cmd.Keys
	mark, n := w.Mark(), 0
	begin := func(use, search string, fields int) {
		n++
		w.Map(3)
		w.Bulk("flags")
		WriteWords(w, strings.Fields(use))
		w.Bulk("begin_search")
		writeSpec(w, search, fields)
	}
	find := func(kind string, fields ...any) {
		w.Bulk("find_keys")
		writeSpec(w, kind, len(fields)/2)
		writeFields(w, fields...)
	}
	at := func(index int, use string, last int) {
		begin(use, "index", 1)
		writeFields(w, "index", index)
		find("range", "lastkey", last, "keystep", s.Step, "limit", 0)
	}
	last := s.Last
	if last > 0 {
		last -= s.First // relative, unless counted from the end
	}
	switch {
	case s.First > 0 && cmd.UseThen != "" && s.Numkeys == 0 && cmd.Further == nil:
		at(s.First, cmd.useOf(0), 0)
		if last > 0 {
			last -= s.Step
		}
		at(s.First+s.Step, cmd.useOf(1), last)
	case s.First > 0:
		at(s.First, cmd.useOf(0), last)
	}
	if s.Numkeys > 0 {
		begin(cmd.useOf(1), "index", 1)
		writeFields(w, "index", s.Numkeys)
		find("keynum", "keynumidx", 0, "firstkey", 1, "keystep", 1)
	}
	for _, k := range cmd.Further {
		if k.Keyword == "" {
			begin(k.Use, "unknown", 0)
			find("unknown")
			continue
		}
		begin(k.Use, "keyword", 2)
		writeFields(w, "keyword", k.Keyword, "startfrom", k.From)
		find("range", "lastkey", k.Last, "keystep", k.Step, "limit", k.Limit)
	}
	w.ArrayAt(mark, n)
}

// writeSpec begins a part of a key specification, which has a number of fields.
func writeSpec(w *resp.Writer, kind string, fields int) {
	w.Map(2)
	w.Bulk("type")
	w.Bulk(kind)
	w.Bulk("spec")
	w.Map(fields)
}

// writeFields writes names, each with its value.
func writeFields(w *resp.Writer, fields ...any) {
	for _, f := range fields {
		switch f := f.(type) {
		case string:
			w.Bulk(f)
		case int:
			w.Int(int64(f))
		}
	}
}

// useOf says what a command does to its i-th key, in the words of COMMAND INFO.
func (cmd *Command) useOf(i int) string {
	switch {
	case i > 0 && cmd.UseThen != "":
		return cmd.UseThen
	case cmd.Use != "":
		return cmd.Use
	case cmd.Has(Write):
		return "RW access update"
	}
	return "RO access"
}

// useWith is useOf, given the arguments.
func (cmd *Command) useWith(args []string, i int) string {
	if cmd.UseIn != nil {
		return cmd.UseIn(args)
	}
	return cmd.useOf(i)
}

// COMMAND DOCS [command-name [command-name ...]]
func commandDocs(c *Call) error {
	t := c.Host.Commands
	type doc struct {
		name string
		cmd  *Command
	}
	var docs []doc
	for _, name := range c.Args[2:] {
		if cmd := t.Lookup(name); cmd != nil {
			docs = append(docs, doc{strings.ToLower(name), cmd})
		}
	}
	if len(c.Args) == 2 {
		for _, cmd := range Sorted(t) {
			docs = append(docs, doc{cmd.Name, cmd})
		}
	}
	c.W.Map(len(docs))
	for _, d := range docs {
		if err := c.describe(d.cmd); err != nil {
			return err
		}
		writeDocs(c.W, d.cmd, d.name)
	}
	return nil
}

// docGroups are the groups in the documentation of groups and of single commands, where they differ.
var docGroups = map[string]string{
	"zset": "sorted-set", "hll": "hyperloglog",
	"asking": "cluster", "cluster": "cluster", "readonly": "cluster", "readwrite": "cluster",
}

// DocGroup is the command's group in COMMAND DOCS.
func (cmd *Command) DocGroup() string {
	return cmp.Or(docGroups[cmd.parentName()], docGroups[cmd.Group], cmd.Group)
}

// writeDocs writes a command as COMMAND DOCS has it.
func writeDocs(w *resp.Writer, cmd *Command, fullName string) {
	w.Bulk(fullName)
	m := newDocMap(w)
	m.text("summary", cmd.Summary)
	m.text("since", cmd.Since)
	m.text("group", cmd.DocGroup())
	d := docs()[fullName]
	m.text("complexity", d.complexity)
	if d.deprecated != "" {
		m.name("doc_flags")
		WriteWords(w, []string{"deprecated"})
	}
	m.text("deprecated_since", d.deprecated)
	m.text("replaced_by", d.replacedBy)
	if d.history != nil {
		m.name("history")
		w.Set(len(d.history))
		for _, change := range d.history {
			w.Strings(change[:])
		}
	}
	m.arguments(d.args)
	if cmd.Subcommands != nil {
		m.name("subcommands")
		w.Map(len(cmd.Subcommands))
		for _, sub := range Sorted(cmd.Subcommands) {
			writeDocs(w, sub, fullName+"|"+sub.Name)
		}
	}
	m.end()
}

// COMMAND LIST [FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern)]
func commandList(c *Call) error {
	keep := func(string, *Command) bool { return true }
	switch {
	case len(c.Args) == 2:
	case len(c.Args) != 5 || !c.Is(2, "filterby"):
		return ErrSyntax
	case c.Is(3, "module"):
		keep = func(string, *Command) bool { return false }
	case c.Is(3, "aclcat"):
		category := "@" + strings.ToLower(c.Args[4])
		keep = func(_ string, cmd *Command) bool { return slices.Contains(cmd.Categories(), category) }
	case c.Is(3, "pattern"):
		pattern := strings.ToLower(c.Args[4])
		keep = func(name string, _ *Command) bool { return c.Txn.Matches(pattern, name) }
	default:
		return ErrSyntax
	}
	var names []string
	for _, cmd := range Sorted(c.Host.Commands) {
		if err := c.describe(cmd); err != nil {
			return err
		}
		if keep(cmd.Name, cmd) {
			names = append(names, cmd.Name)
		}
		for _, sub := range Sorted(cmd.Subcommands) {
			if name := cmd.Name + "|" + sub.Name; keep(name, sub) {
				names = append(names, name)
			}
		}
	}
	c.W.Set(len(names))
	for _, name := range names {
		c.W.Bulk(name)
	}
	return nil
}

// countsKeys reports whether the number of keys among the arguments, if the
// command takes one, is right.
func (cmd *Command) countsKeys(args []string) bool {
	i := cmd.Keys.Numkeys
	if i == 0 {
		return true
	}
	n, ok := num.ParseInt(args[i])
	return ok && (n > 0 || n == 0 && cmd.Has(Scripting)) && n <= int64(len(args)-i-1)
}

// COMMAND GETKEYS command [arg [arg ...]]
// COMMAND GETKEYSANDFLAGS command [arg [arg ...]]
func commandGetKeys(c *Call) error {
	args := c.Args[2:]
	cmd := c.Host.Commands[strings.ToLower(args[0])]
	if cmd != nil && cmd.Subcommands != nil && len(args) > 1 {
		cmd = cmd.Subcommands[strings.ToLower(args[1])]
	}
	switch {
	case cmd == nil:
		return Error("ERR Invalid command specified")
	case cmd.Keys == NoKeys && cmd.Getkeys == nil:
		return Error("ERR The command has no key arguments")
	case cmd.checkArity(args) != nil:
		return Error("ERR Invalid number of arguments specified for command")
	}
	keys := cmd.KeysOf(args)
	if len(keys) == 0 && !cmd.Has(Scripting) || !cmd.countsKeys(args) {
		return Error("ERR Invalid arguments specified for command")
	}
	if c.Command.Name == "getkeys" {
		c.W.Strings(keys)
		return nil
	}
	c.W.Array(len(keys))
	for i, key := range keys {
		c.W.Array(2)
		c.W.Bulk(key)
		WriteWords(c.W, strings.Fields(cmd.useWith(args, i)))
	}
	return nil
}
