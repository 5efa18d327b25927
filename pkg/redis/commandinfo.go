package redis

import (
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/command"
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
	add := func(name string, cmd *command.Command) {
		out = append(out, CommandInfo{
			Name: name, Arity: cmd.Arity, Group: cmd.DocGroup(), Since: cmd.Since, Summary: cmd.Summary,
			Flags: cmd.FlagNames(), Categories: cmd.Categories(), FirstKey: cmd.Keys.First,
		})
	}
	for _, cmd := range command.Sorted(e.commands) {
		if cmd.Here() {
			add(strings.ToUpper(cmd.Name), cmd)
		}
		for _, sub := range command.Sorted(cmd.Subcommands) {
			if sub.Here() {
				add(strings.ToUpper(cmd.Name+" "+sub.Name), sub)
			}
		}
	}
	slices.SortFunc(out, func(a, b CommandInfo) int { return strings.Compare(a.Name, b.Name) })
	return out
}
