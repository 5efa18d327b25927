// Gosec looks for insecure code in the folders of its arguments. It is github.com/securego/gosec without its command line,
// which links the clients of three language models: to compile those takes three times as long as all other tools together.
// It loads all folders at once, and not each by itself, which takes twice as long.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/securego/gosec/v2"
	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/issue"
	"github.com/securego/gosec/v2/rules"
	"golang.org/x/sync/errgroup"
	"golang.org/x/tools/go/packages"
)

func main() {
	exclude := flag.String("exclude", "", "`rules` that are not looked at, with commas between them")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Usage: gosec [-exclude rules] folder ...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Args(), strings.Split(*exclude, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "gosec:", err)
		os.Exit(1)
	}
}

// run writes what it finds, and fails if that is anything.
func run(out io.Writer, folders, exclude []string) error {
	loaded, err := packages.Load(&packages.Config{Mode: gosec.LoadMode}, folders...)
	if err != nil {
		return err
	}
	var (
		issues = make([][]*issue.Issue, len(loaded))
		total  gosec.Metrics
		broken int
		each   errgroup.Group
		mu     sync.Mutex // of total
	)
	each.SetLimit(runtime.GOMAXPROCS(0))
	for i, pkg := range loaded {
		for _, e := range pkg.Errors {
			fmt.Fprintln(out, e)
			broken++
		}
		each.Go(func() error {
			var metrics *gosec.Metrics
			issues[i], metrics = check(pkg, exclude)
			mu.Lock()
			defer mu.Unlock()
			total.Merge(metrics)
			return nil
		})
	}
	if err := each.Wait(); err != nil {
		return err
	}
	found := 0
	for _, i := range slices.Concat(issues...) {
		if i.NoSec || len(i.Suppressions) > 0 {
			continue
		}
		found++
		fmt.Fprintf(out, "%s: %s: %s (severity %s, confidence %s)\n", i.FileLocation(), i.RuleID, i.What, name(i.Severity), name(i.Confidence))
	}
	switch {
	case broken > 0:
		return errors.New("not all code could be read")
	case found > 0:
		return fmt.Errorf("%d issues", found)
	case total.NumFiles == 0:
		return errors.New("there is no code in these folders")
	}
	fmt.Fprintf(out, "gosec: %d files, %d lines, no issue\n", total.NumFiles, total.NumLines)
	return nil
}

// check looks through one package.
func check(pkg *packages.Package, exclude []string) ([]*issue.Issue, *gosec.Metrics) {
	g := gosec.NewAnalyzer(gosec.NewConfig(), false, false, false, 1, log.New(io.Discard, "", 0))
	g.LoadRules(rules.Generate(false, rules.NewRuleFilter(true, exclude...)).RulesInfo())
	g.LoadAnalyzers(analyzers.Generate(false, analyzers.NewAnalyzerFilter(true, exclude...)).AnalyzersInfo())
	g.CheckRules(pkg)
	g.CheckAnalyzers(pkg)
	issues, metrics, _ := g.Report()
	return issues, metrics
}

func name(s issue.Score) string { return strings.ToLower(s.String()) }
