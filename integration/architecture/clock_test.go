package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asksClock names the calls that ask the runtime's clock for the time. In pkg, the time comes from Now
// of a Config or of Options; what lasts a while goes by timers, tickers and context.WithTimeout.
var asksClock = map[string]bool{
	"time.Now": true, "time.Since": true, "time.Until": true, "context.WithDeadline": true,
}

// mayAskClock has the files that ask all the same, and why.
var mayAskClock = map[string]string{
	"pkg/kafka/wire/conn.go":              "deadlines of connections, which the runtime keeps",
	"pkg/redis/wire/conn.go":              "deadlines of connections, which the runtime keeps",
	"pkg/kafka/ingest/kinesis/kinesis.go": "a context's deadline is by the runtime's clock",
	"pkg/store/dynamo/store.go":           "a context's deadline is by the runtime's clock",
	"pkg/store/retry.go":                  "a context's deadline is by the runtime's clock",
	"pkg/lambdahttp/handler.go":           "Lambda sets a context's deadline by the runtime's clock",
	"pkg/lambdahttp/stream.go":            "Lambda sets a context's deadline by the runtime's clock",
	"pkg/redis/keyspace/budget.go":        "a context's deadline is by the runtime's clock",
	"pkg/redis/script/base.go":            "os.clock is the time that a script has run",
	"pkg/redis/script/limits.go":          "bounds the time that a script itself takes",
}

// mayStart has the files that start a goroutine by a go statement, and who waits for its end. All others
// use a sync.WaitGroup.
var mayStart = map[string]string{
	"pkg/lambdahttp/stream.go":             "the answer's reader: it ends with the answer",
	"pkg/qstash/wake/embedded/embedded.go": "Stop",
	"pkg/redis/region_store.go":            "the caller, which takes its result",
	"pkg/store/embedded/embedded.go":       "Close, unless the disk cannot be written",
	"pkg/store/embedded/janitor.go":        "Close",
	"pkg/store/embedded/later.go":          "Close",
	"pkg/store/embedded/syncer.go":         "Close",
	"pkg/store/embedded/write.go":          "Close, as it waits for the syncer",
}

func TestEnginesNeitherAskTheRuntimeForTheTimeNorLeaveGoroutines(t *testing.T) {
	askers, starters := map[string]bool{}, map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(filepath.Join(root, "pkg"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		if d.IsDir() && forTests(name) {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		calls, starts, err := clockAndGoroutines(name, source)
		if len(calls) > 0 {
			if askers[name] = true; mayAskClock[name] == "" {
				t.Errorf("%s: the time comes from Now of a Config, see CONTRIBUTING.md", strings.Join(calls, ", "))
			}
		}
		if len(starts) > 0 {
			if starters[name] = true; mayStart[name] == "" {
				t.Errorf("%s: who waits for this goroutine? See CONTRIBUTING.md", strings.Join(starts, ", "))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range mayAskClock {
		if !askers[name] {
			t.Errorf("%s is allowed to ask for the time, and does not", name)
		}
	}
	for name := range mayStart {
		if !starters[name] {
			t.Errorf("%s is allowed to start goroutines, and does not", name)
		}
	}
}

func TestCallsOfTheClockAndGoroutinesAreFound(t *testing.T) {
	const source = `package p
import "time"
func f(now func() time.Time) {
	if now == nil { now = time.Now }
	_ = time.Now()
	_ = time.Since(now())
	go f(nil)
}`
	calls, starts, err := clockAndGoroutines("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(calls, starts)
	if want := "[p.go:5 time.Now p.go:6 time.Since] [p.go:7]"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

// clockAndGoroutines finds the calls of a file that ask the runtime's clock, and its go statements.
func clockAndGoroutines(name string, source []byte) (calls, starts []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, 0)
	if err != nil {
		return nil, nil, err
	}
	at := func(n ast.Node) string { return fmt.Sprintf("%s:%d", name, files.Position(n.Pos()).Line) }
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			starts = append(starts, at(n))
		case *ast.CallExpr:
			f, ok := n.Fun.(*ast.SelectorExpr)
			if !ok {
				break
			}
			if from, ok := f.X.(*ast.Ident); ok && asksClock[from.Name+"."+f.Sel.Name] {
				calls = append(calls, at(n)+" "+from.Name+"."+f.Sel.Name)
			}
		}
		return true
	})
	return calls, starts, nil
}
