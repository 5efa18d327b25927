package command_test

import (
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis/command"
)

func TestAccessOfRules(t *testing.T) {
	table := command.NewTable()
	a, err := table.AccessOf([]string{"+@read", "~app:*", "&news"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		line string
		may  bool
	}{
		{"get app:1", true},
		{"get other", false},
		{"set app:1 v", false},
	} {
		args := strings.Fields(tt.line)
		cmd, err := table.Find(args)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Check(cmd, args, cmd.KeysOf(args)); (err == nil) != tt.may {
			t.Errorf("%s: %v", tt.line, err)
		}
	}
	for _, bad := range []string{"", "on", ">correct-horse-battery", "+nosuch", "reset", "allkeys"} {
		if _, err := table.AccessOf([]string{bad}); err == nil {
			t.Errorf("rule %q is taken", bad)
		}
	}
}
