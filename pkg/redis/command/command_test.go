package command_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis/command"
)

func TestKeysAmongArguments(t *testing.T) {
	table := command.NewTable()
	for _, tc := range []struct{ line, keys string }{
		{"PING", ""},
		{"GET k", "k"},
		{"get k", "k"},
		{"ZADD z 1 member", "z"},
		{"MSET a 1 b 2", "a b"},
		{"DEL a b c", "a b c"},
		{"RENAME a b", "a b"},
		{"OBJECT ENCODING k", "k"},
		{"ZINTERCARD 2 a b LIMIT 1", "a b"},
		{"ZINTERCARD 9 a b", ""}, // the command itself refuses it
		{"ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"},
		{"BLMPOP 0 1 l LEFT", "l"},
		{"XREAD COUNT 1 STREAMS s t 0 0", "s t"},
		{"GEORADIUS g 1 2 3 km STORE d", "g d"},
		{"JSON.MSET a $ 1 b $ 2", "a b"},
		{"SORT l BY nosort STORE d", "l d"},
	} {
		args := strings.Fields(tc.line)
		cmd, err := table.Find(args)
		if err != nil {
			t.Errorf("%s: %v", tc.line, err)
			continue
		}
		if got := cmd.KeysOf(args); !slices.Equal(got, strings.Fields(tc.keys)) {
			t.Errorf("%s: keys %q, want %q", tc.line, got, tc.keys)
		}
	}
}

// What is declared can be carried out by somebody, and rules can be about it.
func TestTheTableIsWhole(t *testing.T) {
	table := command.NewTable()
	table.Each(func(full string, cmd *command.Command) {
		switch {
		case cmd.Run == nil && cmd.Outside == nil && !cmd.Has(command.Session):
			t.Errorf("%s: nobody carries it out", full)
		case full != strings.ToLower(full):
			t.Errorf("%s: the name is not in lower case", full)
		case cmd.Summary == "" || cmd.Since == "" || cmd.Group == "" || cmd.Arity == 0:
			t.Errorf("%s: not described", full)
		case cmd.Direct != nil && !cmd.Has(command.Write):
			t.Errorf("%s: a blind write of a command that does not write", full)
		case len(cmd.Categories()) == 0:
			t.Errorf("%s: of no category", full)
		}
	})
}

func TestWhatIsNoCommandIsRefused(t *testing.T) {
	table := command.NewTable()
	for _, tc := range []struct{ line, want string }{
		{"NOSUCH a", "ERR Command is not available: 'NOSUCH'"},
		{"GET", "ERR wrong number of arguments for 'get' command"},
		{"GET a b", "ERR wrong number of arguments for 'get' command"},
		{"OBJECT NOSUCH k", "ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP."},
		{"OBJECT", "ERR wrong number of arguments for 'object' command"},
	} {
		if _, err := table.Find(strings.Fields(tc.line)); err == nil || err.Error() != tc.want {
			t.Errorf("%s: error %v, want %s", tc.line, err, tc.want)
		}
	}
}
