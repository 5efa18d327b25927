package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// logMethods names the methods of slog.Logger, with the place of the message among their arguments.
var logMethods = map[string]int{
	"Debug": 0, "Info": 0, "Warn": 0, "Error": 0,
	"DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1,
	"Log": 2, "LogAttrs": 2,
}

// wrapsAnImperative matches the text of a wrapped error that begins with one of the commonest verbs
// instead of its gerund: "read queue %s: %w". A package's name may stand before the verb.
var wrapsAnImperative = regexp.MustCompile(`^([a-z]+: )?(add|change|claim|clear|close|create|decode|delete|encode|` +
	`find|list|load|make|open|read|remove|send|start|store|update|write) .*%w$`)

var logKey = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func TestLogMessagesAndWrappedErrorsHaveOneForm(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	for _, folder := range []string{"pkg", "functions", "infra", "scripts"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
			n, faults, err := badTexts(name, source)
			seen += n
			for _, f := range faults {
				t.Errorf("%s, see CONTRIBUTING.md", f)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 100 {
		t.Errorf("only %d texts were found: the test does not see them any more", seen)
	}
}

func TestBadTextsAreFound(t *testing.T) {
	const source = `package p
func f() {
	log.Warn("Positions were not committed", "error", err)
	e.log.WarnContext(ctx, "positions were not committed.", "error", err)
	log.Error("engine: " + text, "Error", err)
	log.Error("SQS did not answer", "error", err)
	t.Error("Not a log.")
	fmt.Errorf("read queue %s: %w", name, err)
	fmt.Errorf("qstash: store message: %w", err)
	fmt.Errorf("reading queue %s: %w", name, err)
	fmt.Errorf("read queue %s", name)
}`
	n, faults, err := badTexts("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	want := `p.go:3: the log message "Positions were not committed" begins with a capital
p.go:4: the log message "positions were not committed." ends with a full stop
p.go:5: the log key "Error" is not in snake_case
p.go:8: the wrapped error "read queue %s: %w" begins with an imperative
p.go:9: the wrapped error "qstash: store message: %w" begins with an imperative`
	if got := strings.Join(faults, "\n"); got != want || n != 8 {
		t.Errorf("found in %d texts:\n%s\nwant in 8:\n%s", n, got, want)
	}
}

// badTexts counts the log messages and the formats of errors in a file, and says what is wrong with them.
func badTexts(name string, source []byte) (n int, faults []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, 0)
	if err != nil {
		return 0, nil, err
	}
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		bad := func(format string, args ...any) {
			at := fmt.Sprintf("%s:%d: ", name, files.Position(call.Pos()).Line)
			faults = append(faults, at+fmt.Sprintf(format, args...))
		}
		if place, ok := logMethods[f.Sel.Name]; ok && isLogger(f.X) && len(call.Args) > place {
			n++
			checkLog(call.Args[place], call.Args[place+1:], bad)
		}
		if f.Sel.Name == "Errorf" && named(f.X) == "fmt" {
			n++
			text, _ := literal(call.Args[0])
			if wrapsAnImperative.MatchString(text) {
				bad("the wrapped error %q begins with an imperative", text)
			}
		}
		return true
	})
	return n, faults, nil
}

// checkLog checks a log call's message and the keys that follow it. A message may be a sum of strings:
// its first and its last part are checked.
func checkLog(message ast.Expr, rest []ast.Expr, bad func(string, ...any)) {
	first, last := message, message
	for sum, ok := first.(*ast.BinaryExpr); ok; sum, ok = first.(*ast.BinaryExpr) {
		if first == message {
			last = sum.Y
		}
		first = sum.X
	}
	if text, ok := literal(first); ok && capitalized(text) {
		bad("the log message %q begins with a capital", text)
	}
	if text, ok := literal(last); ok && strings.HasSuffix(text, ".") {
		bad("the log message %q ends with a full stop", text)
	}
	for i := 0; i < len(rest); i += 2 {
		if key, ok := literal(rest[i]); ok && !logKey.MatchString(key) {
			bad("the log key %q is not in snake_case", key)
		}
	}
}

// capitalized reports whether a text begins with a capital that does not begin an acronym.
func capitalized(text string) bool {
	r := append([]rune(text), ' ', ' ')
	return unicode.IsUpper(r[0]) && !unicode.IsUpper(r[1])
}

// isLogger reports whether an expression is a logger by its name: log, Logger, slog, e.log.
func isLogger(x ast.Expr) bool {
	switch strings.ToLower(named(x)) {
	case "log", "logger", "slog":
		return true
	}
	return false
}

// named returns the last name of an expression such as e.cfg.Logger or slog.Default().
func named(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.CallExpr:
		if f, ok := x.Fun.(*ast.SelectorExpr); ok {
			return named(f.X)
		}
	}
	return ""
}

func literal(x ast.Expr) (string, bool) {
	l, ok := x.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}
