package main

import (
	_ "embed"
	"errors"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/appends"
	"golang.org/x/tools/go/analysis/passes/asmdecl"
	"golang.org/x/tools/go/analysis/passes/assign"
	"golang.org/x/tools/go/analysis/passes/atomic"
	"golang.org/x/tools/go/analysis/passes/bools"
	"golang.org/x/tools/go/analysis/passes/buildtag"
	"golang.org/x/tools/go/analysis/passes/cgocall"
	"golang.org/x/tools/go/analysis/passes/composite"
	"golang.org/x/tools/go/analysis/passes/copylock"
	"golang.org/x/tools/go/analysis/passes/defers"
	"golang.org/x/tools/go/analysis/passes/directive"
	"golang.org/x/tools/go/analysis/passes/errorsas"
	"golang.org/x/tools/go/analysis/passes/framepointer"
	"golang.org/x/tools/go/analysis/passes/hostport"
	"golang.org/x/tools/go/analysis/passes/httpresponse"
	"golang.org/x/tools/go/analysis/passes/ifaceassert"
	"golang.org/x/tools/go/analysis/passes/loopclosure"
	"golang.org/x/tools/go/analysis/passes/lostcancel"
	"golang.org/x/tools/go/analysis/passes/nilfunc"
	"golang.org/x/tools/go/analysis/passes/printf"
	"golang.org/x/tools/go/analysis/passes/shift"
	"golang.org/x/tools/go/analysis/passes/sigchanyzer"
	"golang.org/x/tools/go/analysis/passes/slog"
	"golang.org/x/tools/go/analysis/passes/stdmethods"
	"golang.org/x/tools/go/analysis/passes/stdversion"
	"golang.org/x/tools/go/analysis/passes/stringintconv"
	"golang.org/x/tools/go/analysis/passes/structtag"
	"golang.org/x/tools/go/analysis/passes/testinggoroutine"
	"golang.org/x/tools/go/analysis/passes/tests"
	"golang.org/x/tools/go/analysis/passes/timeformat"
	"golang.org/x/tools/go/analysis/passes/unmarshal"
	"golang.org/x/tools/go/analysis/passes/unreachable"
	"golang.org/x/tools/go/analysis/passes/unsafeptr"
	"golang.org/x/tools/go/analysis/passes/unusedresult"
	"golang.org/x/tools/go/analysis/passes/waitgroup"
)

// vet are the analyzers of go vet.
var vet = []*analysis.Analyzer{
	appends.Analyzer,
	asmdecl.Analyzer,
	assign.Analyzer,
	atomic.Analyzer,
	bools.Analyzer,
	withIgnored(buildtag.Analyzer),
	cgocall.Analyzer,
	composite.Analyzer,
	copylock.Analyzer,
	defers.Analyzer,
	withIgnored(directive.Analyzer),
	errorsas.Analyzer,
	framepointer.Analyzer,
	hostport.Analyzer,
	resolved(httpresponse.Analyzer),
	ifaceassert.Analyzer,
	loopclosure.Analyzer,
	lostcancel.Analyzer,
	nilfunc.Analyzer,
	printf.Analyzer,
	shift.Analyzer,
	sigchanyzer.Analyzer,
	slog.Analyzer,
	stdmethods.Analyzer,
	stdversion.Analyzer,
	stringintconv.Analyzer,
	structtag.Analyzer,
	resolved(testinggoroutine.Analyzer),
	tests.Analyzer,
	timeformat.Analyzer,
	unmarshal.Analyzer,
	resolved(unreachable.Analyzer),
	unsafeptr.Analyzer,
	unusedresult.Analyzer,
	waitgroup.Analyzer,
}

// withIgnored gives an analyzer the files that this system does not compile, as go vet does and staticcheck does not.
func withIgnored(a *analysis.Analyzer) *analysis.Analyzer {
	run := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		if len(pass.Files) == 0 {
			return run(pass)
		}
		dir := filepath.Dir(pass.Fset.File(pass.Files[0].FileStart).Name())
		p, err := build.ImportDir(dir, 0)
		if none := (*build.NoGoError)(nil); err != nil && !errors.As(err, &none) {
			return nil, err
		}
		for _, name := range append(p.IgnoredGoFiles, p.IgnoredOtherFiles...) {
			pass.IgnoredFiles = append(pass.IgnoredFiles, filepath.Join(dir, name))
		}
		pass.ReadFile = os.ReadFile
		return run(pass)
	}
	return a
}

//go:embed vet.go
var source string

var passes = regexp.MustCompile(`"golang\.org/x/tools/go/analysis/passes/(\w+)"`)

// vetIsWhole looks whether this Go's vet has analyzers that are not in vet.
func vetIsWhole() error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src", "cmd", "vet", "main.go"))
	if err != nil {
		return err
	}
	found := passes.FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		return errors.New("which analyzers go vet has could not be read from its source")
	}
	for _, m := range found {
		if !strings.Contains(source, m[0]+"\n") {
			return fmt.Errorf("go vet has the analyzer %s, which is to be added to scripts/tools/lint/vet.go", m[1])
		}
	}
	return nil
}
