package command

import (
	"slices"
	"strings"
	"testing"
)

// documented are the commands that COMMAND DOCS has arguments of, with their full names as in docs.txt.
func documented(table Table) map[string]*Command {
	all := map[string]*Command{}
	table.Each(func(full string, cmd *Command) { all[full] = cmd })
	return all
}

// elsewhere are documented here and declared in other packages, which are on top of this one.
func elsewhere(name string) bool {
	parent, _, _ := strings.Cut(name, "|")
	return slices.Contains([]string{"acl", "publish", "spublish", "pubsub", "script", "eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro", "function", "flushdb", "flushall"}, parent)
}

// The table says how many words a command has, its documentation what they are.
func TestArgumentsAgreeWithArity(t *testing.T) {
	all, err := parseDocs(docsText)
	if err != nil {
		t.Fatal(err)
	}
	table := documented(NewTable())
	for name, cmd := range table {
		d, ok := all[name]
		if !ok {
			t.Errorf("%s: not documented", name)
			continue
		}
		n, exactly := fewest(d.args)
		n += 1 + strings.Count(name, "|")
		if !exactly {
			n = -n
		}
		if why := arityDifferences[name]; (n == cmd.Arity) == (why != "") {
			t.Errorf("%s: the arguments make an arity of %d, the table has %d (%s)", name, n, cmd.Arity, why)
		}
	}
	for name := range all {
		if table[name] == nil && !elsewhere(name) {
			t.Errorf("%s: documented, and not in the table", name)
		}
	}
}

// arityDifferences are the commands whose arity does not follow from their arguments, and why.
var arityDifferences = map[string]string{
	"client|kill":     "each of its filters is optional, but not all of them",
	"command":         "what follows is a subcommand",
	"json.debug|help": "it ignores what follows",
	"quit":            "it ignores what follows",
}

// is reports whether the argument has a flag.
func (a argument) is(flag string) bool { return slices.Contains(a.flags, flag) }

// fewest is how many words arguments take at least, and whether they always take as many.
func fewest(args []argument) (n int, exactly bool) {
	exactly = true
	for _, a := range args {
		own, same := 1, true
		switch {
		case a.kind == "block":
			own, same = fewest(a.args)
		case a.kind == "oneof":
			own, same = fewestOf(a.args)
		}
		if a.token != "" && a.kind != typeToken {
			own++
		}
		if a.is("optional") {
			own, same = 0, false
		}
		n += own
		exactly = exactly && same && !a.is("multiple")
	}
	return n, exactly
}

// fewestOf is fewest for alternatives.
func fewestOf(alternatives []argument) (n int, exactly bool) {
	n, exactly = fewest(alternatives[:1])
	for _, a := range alternatives[1:] {
		own, same := fewest([]argument{a})
		exactly = exactly && same && own == n
		n = min(n, own)
	}
	return n, exactly
}

func TestArgumentsThatCannotBeReadAreRefused(t *testing.T) {
	for _, bad := range []string{"x\tO(1)\t[key", "x\tO(1)\tkey]", "x\tO(1)\ta(b", "x\tO(1)\ta()", "x\tO(1)\t@1.0.0"} {
		if _, err := parseDocs(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestHistoryOfWhatThereIsNotIsRefused(t *testing.T) {
	for _, text := range []string{"get\t7.0.0\n", "nosuch\t7.0.0\tAdded it.\n"} {
		if err := parseHistory(text, map[string]doc{"get": {}}); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
