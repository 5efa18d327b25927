// Lint is staticcheck with the analyzers of go vet beside its own. Together they load and look through each package once.
// It takes staticcheck's flags, and packages:
//
//	lint ./...
//
// Staticcheck and go vet read the source of everything that is imported, for what they have to know of its functions. Of
// code that is generated, there is nothing to know: see driver.go.
package main

import (
	"fmt"
	"os"

	"honnef.co/go/tools/analysis/lint"
	"honnef.co/go/tools/lintcmd"
	"honnef.co/go/tools/lintcmd/version"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
	"honnef.co/go/tools/unused"
)

func main() {
	var (
		found int
		err   error
	)
	if dir := os.Getenv(asDriver); dir != "" {
		err = drive(os.Stdin, os.Stdout, dir, os.Args[1:])
	} else {
		found, err = run(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
	os.Exit(found)
}

// run looks through packages, and returns what staticcheck's exit code would be: 0 if nothing is found.
func run(args []string) (int, error) {
	if err := vetIsWhole(); err != nil {
		return 0, err
	}
	goVersion, err := languageVersion()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "skystash-lint-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := useDriver(dir); err != nil {
		return 0, err
	}
	cmd := lintcmd.NewCommand("lint")
	cmd.SetVersion(version.Version, version.MachineVersion)
	cmd.ParseFlags(append([]string{"-go", goVersion}, args...))
	cmd.AddAnalyzers(simple.Analyzers...)
	cmd.AddAnalyzers(staticcheck.Analyzers...)
	cmd.AddAnalyzers(stylecheck.Analyzers...)
	cmd.AddAnalyzers(unused.Analyzer)
	for _, a := range vet {
		cmd.AddAnalyzers(&lint.Analyzer{Analyzer: a, Doc: &lint.RawDocumentation{Title: a.Doc}})
	}
	return cmd.Execute(), nil
}
