package command

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// docsText is what COMMAND DOCS tells of commands besides what the table has. There is a line for each command and
// subcommand that can be run. Its fields are separated by tabs:
//
//   - the name
//   - the complexity: the formulas of Redis's documentation, without the words about them; "-" if there is none
//   - the arguments, separated by blanks
//   - the version of Redis that has deprecated the command, a blank, and what replaces it
//
// An argument is written as
//
//	token=name:type#spec@since!deprecated(arguments)...
//
// of which all but the name can be absent. The token stands in front of the value. The type is "string" if there is none,
// and "key" for the name "key". spec is the number of the key's specification in COMMAND INFO, 0 if it is absent. Words in
// capitals are arguments that consist of a token only. Arguments in parentheses belong together; if they are separated by
// "|", one of them is given. "..." says that the argument can be repeated, "...=" that its token is repeated as well.
// An argument in brackets is optional.
//
//go:embed docs.txt
var docsText string

// historyText is what COMMAND DOCS tells of changes of commands, a change on a line: the command's name, the version of Redis, and what has
// changed, separated by tabs.
//
//go:embed history.txt
var historyText string

// doc is what docsText and historyText tell of a command.
type doc struct {
	complexity string
	args       []argument
	deprecated string // the version; "": it is not
	replacedBy string
	history    [][2]string // versions and what they have changed
}

// argument is an argument in COMMAND DOCS.
type argument struct {
	name, kind, token string
	keySpec           string // of a key
	since, deprecated string
	flags             []string
	args              []argument // of kinds oneof and block
}

var docs = sync.OnceValue(func() map[string]doc {
	all, err := parseDocs(docsText)
	if err == nil {
		err = parseHistory(historyText, all)
	}
	if err != nil {
		panic(err)
	}
	return all
})

// parseHistory adds changes to the commands that there are.
func parseHistory(text string, all map[string]doc) error {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		d, ok := all[fields[0]]
		if len(fields) != 3 || !ok {
			return fmt.Errorf("redis: history of commands: malformed line %q", line)
		}
		d.history = append(d.history, [2]string{fields[1], fields[2]})
		all[fields[0]] = d
	}
	return nil
}

func parseDocs(text string) (map[string]doc, error) {
	all := map[string]doc{}
	for line := range strings.Lines(text) {
		fields := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "", "")
		d := doc{complexity: strings.TrimPrefix(fields[1], "-")}
		var err error
		if d.args, err = parseArguments(fields[2], " "); err != nil {
			return nil, fmt.Errorf("redis: documentation of %s: %w", fields[0], err)
		}
		d.deprecated, d.replacedBy, _ = strings.Cut(fields[3], " ")
		all[fields[0]] = d
	}
	return all, nil
}

// parseArguments parses arguments that are separated by a blank or by "|".
func parseArguments(text, separator string) ([]argument, error) {
	var args []argument
	for _, part := range splitArguments(text, separator) {
		a, err := parseArgument(part)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	return args, nil
}

// splitArguments splits a text at the separators outside of parentheses and brackets.
func splitArguments(text, separator string) []string {
	if text == "" {
		return nil
	}
	var parts []string
	depth, begin := 0, 0
	for i := range len(text) {
		switch {
		case text[i] == '(' || text[i] == '[':
			depth++
		case text[i] == ')' || text[i] == ']':
			depth--
		case depth == 0 && text[i] == separator[0]:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}

var (
	argumentPattern = regexp.MustCompile(`^(?:(=|[^=(]+)=)?([^#@!(]+?)(?::(key|string|integer|double|pattern|unix-time|token))?(?:#(\d))?(?:@(\d+\.\d+\.\d+))?(?:!(\d+\.\d+\.\d+))?(?:\((.+)\))?(\.\.\.=?)?$`)
	tokenPattern    = regexp.MustCompile(`^[A-Z0-9-]+$`)
)

// typeToken is the type of arguments that consist of a token.
const typeToken = "pure-token"

func parseArgument(text string) (argument, error) {
	inner, optional := strings.CutPrefix(text, "[")
	m := argumentPattern.FindStringSubmatch(strings.TrimSuffix(inner, "]"))
	if m == nil || optional != strings.HasSuffix(text, "]") {
		return argument{}, fmt.Errorf("argument %q cannot be read", text)
	}
	a := argument{token: m[1], name: m[2], kind: m[3], keySpec: m[4], since: m[5], deprecated: m[6]}
	switch within := m[7]; {
	case within != "":
		a.kind = "oneof"
		alternatives := splitArguments(within, "|")
		separator := "|"
		if len(alternatives) == 1 {
			a.kind, separator = "block", " "
		}
		var err error
		if a.args, err = parseArguments(within, separator); err != nil {
			return argument{}, err
		}
	case a.kind == "token":
		a.kind = typeToken
	case a.kind == "" && tokenPattern.MatchString(a.name):
		a.token, a.name, a.kind = a.name, strings.ToLower(a.name), typeToken
	case a.kind == "" && a.name == "key":
		a.kind = "key"
	case a.kind == "":
		a.kind = "string"
	}
	if a.kind == "key" && a.keySpec == "" {
		a.keySpec = "0"
	}
	for _, f := range []struct {
		is   bool
		name string
	}{{optional, "optional"}, {m[8] != "", "multiple"}, {m[8] == "...=", "multiple_token"}} {
		if f.is {
			a.flags = append(a.flags, f.name)
		}
	}
	return a, nil
}

// docMap is a map of COMMAND DOCS that is being written.
type docMap struct {
	w       *resp.Writer
	mark, n int
}

func newDocMap(w *resp.Writer) *docMap { return &docMap{w: w, mark: w.Mark()} }

// name writes the name of a member, whose value must follow.
func (m *docMap) name(name string) {
	m.w.Bulk(name)
	m.n++
}

// text writes a member, unless it is empty.
func (m *docMap) text(name, value string) {
	if value != "" {
		m.name(name)
		m.w.Bulk(value)
	}
}

// arguments writes the member of that name, unless there are none.
func (m *docMap) arguments(args []argument) {
	if len(args) > 0 {
		m.name("arguments")
		writeArguments(m.w, args)
	}
}

// end ends the map.
func (m *docMap) end() { m.w.MapAt(m.mark, m.n) }

// write writes the argument as COMMAND DOCS has it.
func (a argument) write(w *resp.Writer) {
	m := newDocMap(w)
	m.text("name", a.name)
	m.text("type", a.kind)
	if a.keySpec != "" {
		m.name("key_spec_index")
		w.Int(int64(a.keySpec[0] - '0'))
	}
	m.text("token", a.token)
	m.text("since", a.since)
	m.text("deprecated_since", a.deprecated)
	if len(a.flags) > 0 {
		m.name("flags")
		WriteWords(w, a.flags)
	}
	m.arguments(a.args)
	m.end()
}

func writeArguments(w *resp.Writer, args []argument) {
	w.Array(len(args))
	for _, a := range args {
		a.write(w)
	}
}
