// Gosec looks for insecure code in the folders of its arguments. It is github.com/securego/gosec without its command line,
// which links the clients of three language models: to compile those takes three times as long as all other tools together.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"

	"github.com/securego/gosec/v2"
	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/issue"
	"github.com/securego/gosec/v2/rules"
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
	looked := rules.Generate(false, rules.NewRuleFilter(true, exclude...))
	analyzed := analyzers.Generate(false, analyzers.NewAnalyzerFilter(true, exclude...))
	g := gosec.NewAnalyzer(gosec.NewConfig(), false, false, false, runtime.GOMAXPROCS(0), log.New(io.Discard, "", 0))
	g.LoadRules(looked.RulesInfo())
	g.LoadAnalyzers(analyzed.AnalyzersInfo())
	if err := g.Process(nil, folders...); err != nil {
		return err
	}
	issues, metrics, failures := g.Report()
	for file, errs := range failures {
		for _, err := range errs {
			fmt.Fprintf(out, "%s:%d:%d: %s\n", file, err.Line, err.Column, err.Err)
		}
	}
	found := 0
	for _, i := range issues {
		if i.NoSec || len(i.Suppressions) > 0 {
			continue
		}
		found++
		fmt.Fprintf(out, "%s: %s: %s (severity %s, confidence %s)\n", i.FileLocation(), i.RuleID, i.What, name(i.Severity), name(i.Confidence))
	}
	switch {
	case len(failures) > 0:
		return errors.New("not all code could be read")
	case found > 0:
		return fmt.Errorf("%d issues", found)
	case metrics.NumFiles == 0:
		return errors.New("there is no code in these folders")
	}
	fmt.Fprintf(out, "gosec: %d files, %d lines, no issue\n", metrics.NumFiles, metrics.NumLines)
	return nil
}

func name(s issue.Score) string { return strings.ToLower(s.String()) }
