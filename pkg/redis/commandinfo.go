package redis

import (
	"slices"
	"strings"
)

// CommandInfo describes a command or a subcommand, for those who offer or explain commands.
type CommandInfo struct {
	Name       string // upper case; of a subcommand with its parent's in front: "CONFIG GET"
	Arity      int    // arguments with the name (all words of it); negative: at least
	Group      string // as in COMMAND DOCS, e.g. "sorted-set"
	Since      string
	Summary    string
	Flags      []string // as in COMMAND INFO, e.g. "write"
	Categories []string // of access control, e.g. "@write"

	FirstKey int // index of the first key among the arguments with the name; 0: none, or it depends on them
}

// Commands describes all commands and subcommands that can be run, by name.
func (e *Engine) Commands() []CommandInfo {
	var out []CommandInfo
	add := func(name string, cmd *command) {
		group := cmd.group
		if g := docGroups[group]; g != "" {
			group = g
		}
		out = append(out, CommandInfo{
			Name: name, Arity: cmd.arity, Group: group, Since: cmd.since, Summary: cmd.summary,
			Flags: cmd.flagNames(), Categories: cmd.categories(), FirstKey: cmd.keys.first,
		})
	}
	for _, cmd := range sorted(e.commands) {
		if cmd.here() {
			add(strings.ToUpper(cmd.name), cmd)
		}
		for _, sub := range sorted(cmd.subs) {
			if sub.here() {
				add(strings.ToUpper(cmd.name+" "+sub.name), sub)
			}
		}
	}
	slices.SortFunc(out, func(a, b CommandInfo) int { return strings.Compare(a.Name, b.Name) })
	return out
}
