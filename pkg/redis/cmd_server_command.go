package redis

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// COMMAND, COMMAND COUNT, DOCS, GETKEYS, GETKEYSANDFLAGS, INFO, LIST, HELP.

func commandCommand() *command {
	const group = "server"
	return &command{name: "command", arity: -1, flags: harmless, tips: "nondeterministic_output_order", group: group, since: "2.8.13", summary: "Describes the commands.", run: commandAll,
		subs: subcommands(
			&command{name: "count", arity: 2, flags: harmless, group: group, since: "2.8.13", summary: "Returns the number of commands.", run: commandCount},
			&command{name: "docs", arity: -2, flags: harmless, tips: "nondeterministic_output_order", group: group, since: "7.0.0", summary: "Returns the commands' documentation.", run: commandDocs},
			&command{name: "getkeys", arity: -3, flags: harmless, group: group, since: "2.8.13", summary: "Returns the keys among a command's arguments.", run: commandGetKeys},
			&command{name: "getkeysandflags", arity: -3, flags: harmless, group: group, since: "7.0.0", summary: "Returns the keys among a command's arguments, and what is done to them.", run: commandGetKeys},
			&command{name: "info", arity: -2, flags: harmless, tips: "nondeterministic_output_order", group: group, since: "2.8.13", summary: "Returns arity, flags and key positions of commands.", run: commandInfo},
			&command{name: "list", arity: -2, flags: harmless, tips: "nondeterministic_output_order", group: group, since: "7.0.0", summary: "Returns the names of the commands.", run: commandList},
			helpCommand(group, "5.0.0",
				"(no subcommand)", "    Arity, flags and key positions of all commands.",
				"COUNT", "    Number of commands.",
				"DOCS [<command-name> ...]", "    Documentation of the commands, or of all.",
				"GETKEYS <full-command>", "    Keys among the arguments of a command.",
				"GETKEYSANDFLAGS <full-command>", "    Keys among the arguments of a command, and what is done to them.",
				"INFO [<command-name> ...]", "    Arity, flags and key positions of the commands, or of all.",
				"LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]", "    Names of the commands."),
		)}
}

// sorted lists commands in order of their names.
func sorted(cmds map[string]*command) []*command {
	out := make([]*command, 0, len(cmds))
	for _, name := range slices.Sorted(maps.Keys(cmds)) {
		out = append(out, cmds[name])
	}
	return out
}

// lookup finds a command or, as "config|get", a subcommand.
func (t commandTable) lookup(name string) *command {
	parent, sub, isSub := strings.Cut(strings.ToLower(name), "|")
	cmd := t[parent]
	if isSub && cmd != nil {
		return cmd.subs[sub]
	}
	return cmd
}

// describeWork is what describing a command, or looking at its categories, costs. See Budget.
const describeWork = 2_000

// describe counts the work of describing a command with its subcommands.
func (c *call) describe(cmd *command) error {
	c.tx.Spend(describeWork * int64(1+len(cmd.subs)))
	return c.tx.Err()
}

// COMMAND
func commandAll(c *call) error {
	t := c.host.commands
	c.w.Array(len(t))
	for _, cmd := range sorted(t) {
		if err := c.describe(cmd); err != nil {
			return err
		}
		writeInfo(c.w, cmd, cmd.name)
	}
	return nil
}

// COMMAND COUNT
func commandCount(c *call) error {
	c.w.Int(int64(len(c.host.commands)))
	return nil
}

// COMMAND INFO [command-name [command-name ...]]
func commandInfo(c *call) error {
	t := c.host.commands
	if len(c.args) == 2 {
		return commandAll(c)
	}
	c.w.Array(len(c.args) - 2)
	for _, name := range c.args[2:] {
		cmd := t.lookup(name)
		if cmd == nil {
			c.w.Null()
			continue
		}
		if err := c.describe(cmd); err != nil {
			return err
		}
		writeInfo(c.w, cmd, strings.ToLower(name))
	}
	return nil
}

// writeInfo writes a command as COMMAND INFO has it: name, arity, flags, first,
// last and step of its keys, ACL categories, tips, key specifications, subcommands.
func writeInfo(w *resp.Writer, cmd *command, fullName string) {
	w.Array(10)
	w.Bulk(fullName)
	w.Int(int64(cmd.arity))
	writeWords(w, cmd.flagNames())
	for _, n := range []int{cmd.keys.first, cmd.keys.last, cmd.keys.step} {
		w.Int(int64(n))
	}
	writeWords(w, cmd.categories())
	tips := strings.Fields(cmd.tips)
	w.Array(len(tips))
	for _, tip := range tips {
		w.Bulk(tip)
	}
	writeKeySpecs(w, cmd)
	w.Array(len(cmd.subs))
	for _, sub := range sorted(cmd.subs) {
		writeInfo(w, sub, fullName+"|"+sub.name)
	}
}

func writeWords(w *resp.Writer, words []string) {
	w.Set(len(words))
	for _, word := range words {
		w.Simple(word)
	}
}

// container reports whether the command is but a name for its subcommands.
func (cmd *command) container() bool { return cmd.run == nil && cmd.subs != nil }

// flagNames are the command's flags in COMMAND INFO's words.
func (cmd *command) flagNames() []string {
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
		flag flags
		name string
	}{
		{write, "write"}, {readonly, "readonly"}, {denyoom, "denyoom"}, {admin, "admin"}, {noscript, "noscript"},
		{blocking, "blocking"}, {fast, "fast"}, {movable, "movablekeys"}, {scripting, "no_mandatory_keys"},
	} {
		add(cmd.has(f.flag), f.name)
	}
	add(cmd.group == "pubsub" && cmd.name != "help", "pubsub")
	names = append(names, strings.Fields(cmd.words)...)
	add(cmd.group == "scripting" && (cmd.name == "kill" || cmd.name == "stats"), "allow_busy")
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

// categories are the command's ACL categories.
func (cmd *command) categories() []string {
	if cmd.container() {
		return []string{"@slow"}
	}
	var names []string
	add := func(is bool, name string) {
		if is {
			names = append(names, name)
		}
	}
	switch own, group := ownCategories[cmd.parentName()], dataCategories[cmd.group]; {
	case own != nil:
		names = append(names, own...)
	case cmd.name != "help" || cmd.group != "pubsub":
		add(group != "", group)
	}
	runs := cmd.has(scripting) // what it does is not known before it runs
	add(cmd.has(write) && !runs, "@write")
	add(cmd.has(readonly) && !runs, "@read")
	add(cmd.has(whole) || cmd.name == "swapdb" || cmd.name == "dbsize", "@keyspace")
	add(cmd.has(admin), "@admin")
	add(cmd.has(admin|whole) || cmd.parent == "" && dangerous[cmd.name], "@dangerous")
	add(cmd.has(blocking), "@blocking")
	add(cmd.has(fast), "@fast")
	add(!cmd.has(fast), "@slow")
	return names
}

// parentName is the name of the command that a subcommand belongs to, or its own.
func (cmd *command) parentName() string { return cmp.Or(cmd.parent, cmd.name) }

// dangerous commands are those that Redis counts so beside administration and flushing.
var dangerous = map[string]bool{"keys": true, "sort": true, "sort_ro": true, "restore": true, "swapdb": true, "info": true}

// writeKeySpecs writes where the keys are, in the form of Redis 7's key specifications.
func writeKeySpecs(w *resp.Writer, cmd *command) {
	s := cmd.keys
	mark, n := w.Mark(), 0
	begin := func(use, search string, fields int) {
		n++
		w.Map(3)
		w.Bulk("flags")
		writeWords(w, strings.Fields(use))
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
		find("range", "lastkey", last, "keystep", s.step, "limit", 0)
	}
	last := s.last
	if last > 0 {
		last -= s.first // relative, unless counted from the end
	}
	switch {
	case s.first > 0 && cmd.then != "" && s.numkeys == 0 && cmd.further == nil:
		at(s.first, cmd.useOf(0), 0)
		if last > 0 {
			last -= s.step
		}
		at(s.first+s.step, cmd.useOf(1), last)
	case s.first > 0:
		at(s.first, cmd.useOf(0), last)
	}
	if s.numkeys > 0 {
		begin(cmd.useOf(1), "index", 1)
		writeFields(w, "index", s.numkeys)
		find("keynum", "keynumidx", 0, "firstkey", 1, "keystep", 1)
	}
	for _, k := range cmd.further {
		if k.keyword == "" {
			begin(k.use, "unknown", 0)
			find("unknown")
			continue
		}
		begin(k.use, "keyword", 2)
		writeFields(w, "keyword", k.keyword, "startfrom", k.from)
		find("range", "lastkey", k.last, "keystep", k.step, "limit", k.limit)
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
func (cmd *command) useOf(i int) string {
	switch {
	case i > 0 && cmd.then != "":
		return cmd.then
	case cmd.use != "":
		return cmd.use
	case cmd.has(write):
		return "RW access update"
	}
	return "RO access"
}

// useWith is useOf, given the arguments.
func (cmd *command) useWith(args []string, i int) string {
	if cmd.useIn != nil {
		return cmd.useIn(args)
	}
	return cmd.useOf(i)
}

// COMMAND DOCS [command-name [command-name ...]]
func commandDocs(c *call) error {
	t := c.host.commands
	type doc struct {
		name string
		cmd  *command
	}
	var docs []doc
	for _, name := range c.args[2:] {
		if cmd := t.lookup(name); cmd != nil {
			docs = append(docs, doc{strings.ToLower(name), cmd})
		}
	}
	if len(c.args) == 2 {
		for _, cmd := range sorted(t) {
			docs = append(docs, doc{cmd.name, cmd})
		}
	}
	c.w.Map(len(docs))
	for _, d := range docs {
		if err := c.describe(d.cmd); err != nil {
			return err
		}
		writeDocs(c.w, d.cmd, d.name)
	}
	return nil
}

// docGroups are the groups whose name in the documentation differs from ours.
var docGroups = map[string]string{"zset": "sorted-set", "hll": "hyperloglog"}

func writeDocs(w *resp.Writer, cmd *command, fullName string) {
	group := cmd.group
	if g := docGroups[group]; g != "" {
		group = g
	}
	n := 3
	if cmd.subs != nil {
		n++
	}
	w.Bulk(fullName)
	w.Map(n)
	for _, kv := range [][2]string{{"summary", cmd.summary}, {"since", cmd.since}, {"group", group}} {
		w.Bulk(kv[0])
		w.Bulk(kv[1])
	}
	if cmd.subs == nil {
		return
	}
	w.Bulk("subcommands")
	w.Map(len(cmd.subs))
	for _, sub := range sorted(cmd.subs) {
		writeDocs(w, sub, fullName+"|"+sub.name)
	}
}

// COMMAND LIST [FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern)]
func commandList(c *call) error {
	keep := func(string, *command) bool { return true }
	switch {
	case len(c.args) == 2:
	case len(c.args) != 5 || !c.is(2, "filterby"):
		return errSyntax
	case c.is(3, "module"):
		keep = func(string, *command) bool { return false }
	case c.is(3, "aclcat"):
		category := "@" + strings.ToLower(c.args[4])
		keep = func(_ string, cmd *command) bool { return slices.Contains(cmd.categories(), category) }
	case c.is(3, "pattern"):
		pattern := strings.ToLower(c.args[4])
		keep = func(name string, _ *command) bool { return c.tx.matches(pattern, name) }
	default:
		return errSyntax
	}
	var names []string
	for _, cmd := range sorted(c.host.commands) {
		if err := c.describe(cmd); err != nil {
			return err
		}
		if keep(cmd.name, cmd) {
			names = append(names, cmd.name)
		}
		for _, sub := range sorted(cmd.subs) {
			if name := cmd.name + "|" + sub.name; keep(name, sub) {
				names = append(names, name)
			}
		}
	}
	c.w.Set(len(names))
	for _, name := range names {
		c.w.Bulk(name)
	}
	return nil
}

// countsKeys reports whether the number of keys among the arguments, if the
// command takes one, is right.
func (cmd *command) countsKeys(args []string) bool {
	i := cmd.keys.numkeys
	if i == 0 {
		return true
	}
	n, ok := num.ParseInt(args[i])
	return ok && (n > 0 || n == 0 && cmd.has(scripting)) && n <= int64(len(args)-i-1)
}

// COMMAND GETKEYS command [arg [arg ...]]
// COMMAND GETKEYSANDFLAGS command [arg [arg ...]]
func commandGetKeys(c *call) error {
	args := c.args[2:]
	cmd := c.host.commands[strings.ToLower(args[0])]
	if cmd != nil && cmd.subs != nil && len(args) > 1 {
		cmd = cmd.subs[strings.ToLower(args[1])]
	}
	switch {
	case cmd == nil:
		return Error("ERR Invalid command specified")
	case cmd.keys == noKeys && cmd.getkeys == nil:
		return Error("ERR The command has no key arguments")
	case cmd.checkArity(args) != nil:
		return Error("ERR Invalid number of arguments specified for command")
	}
	keys := cmd.keysOf(args)
	if len(keys) == 0 && !cmd.has(scripting) || !cmd.countsKeys(args) {
		return Error("ERR Invalid arguments specified for command")
	}
	if c.cmd.name == "getkeys" {
		c.w.Strings(keys)
		return nil
	}
	c.w.Array(len(keys))
	for i, key := range keys {
		c.w.Array(2)
		c.w.Bulk(key)
		writeWords(c.w, strings.Fields(cmd.useWith(args, i)))
	}
	return nil
}
