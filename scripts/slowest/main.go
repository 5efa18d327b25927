// Command slowest shows what go test writes, and then where its time went.
//
//	go test -json ./... | go run ./scripts/slowest
//
// It prints a line for each package when it is done and, before that, all that was written by tests
// that failed; at the end the packages and tests that took longest. It says nothing about whether
// all passed: the status of go test does.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// shown is the number of packages, and of tests, that are named at the end.
const shown = 12

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// timing is how long something took.
type timing struct {
	name    string
	seconds float64
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "slowest:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	w := bufio.NewWriter(out)
	defer w.Flush()
	var packages, tests []timing
	// written is what each test, and each package besides its tests, has written and nobody has seen.
	written := map[[2]string][]string{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				w.WriteString(line) // of go itself
				e = event{}
			}
			key := [2]string{e.Package, e.Test}
			switch {
			case e.Action == "output" && !frame(e.Output):
				written[key] = append(written[key], e.Output)
			case e.Action == "build-output":
				w.WriteString(e.Output)
			case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
				failed := e.Action == "fail"
				if e.Test != "" {
					tests = append(tests, timing{short(e.Package) + " " + e.Test, e.Elapsed})
					if failed {
						print(w, written[key])
					}
					delete(written, key)
					break
				}
				if e.Action == "skip" { // it has no tests
					delete(written, key)
					break
				}
				packages = append(packages, timing{short(e.Package), e.Elapsed})
				if failed { // tests that were under way when the process ended have no end of their own
					for other, text := range written {
						if other[0] == e.Package && other[1] != "" {
							print(w, text)
						}
					}
				}
				print(w, verdict(written[key], failed))
				for other := range written {
					if other[0] == e.Package {
						delete(written, other)
					}
				}
				w.Flush()
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	list(w, "slowest packages", packages)
	list(w, "slowest tests", tests)
	return nil
}

// verdict is what to show of a package's own output: all of it if the package failed. Otherwise, as
// go test itself does, only the line that says so: the log of what was tested is of no interest then.
func verdict(lines []string, failed bool) []string {
	if failed {
		return lines
	}
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, "ok  \t") })
}

// frame tells of the lines that -v adds for tests that begin, wait, go on and pass.
func frame(text string) bool {
	text = strings.TrimLeft(text, " ")
	for _, prefix := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME", "--- PASS"} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return text == "PASS\n"
}

func print(w io.StringWriter, lines []string) {
	for _, line := range lines {
		w.WriteString(line)
	}
}

func short(pkg string) string { return strings.TrimPrefix(pkg, "github.com/skystash/skystash/") }

// list prints those of at least a second that took longest.
func list(w io.Writer, title string, all []timing) {
	slices.SortStableFunc(all, func(a, b timing) int { return cmp.Compare(b.seconds, a.seconds) })
	fmt.Fprintf(w, "-- %s\n", title)
	for _, t := range all[:min(shown, len(all))] {
		if t.seconds < 1 {
			break
		}
		fmt.Fprintf(w, "%7.1fs  %s\n", t.seconds, t.name)
	}
}
