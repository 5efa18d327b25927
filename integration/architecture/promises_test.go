package architecture

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// heldBy finds the tests that docs/security.md names: `package.TestFunction`.
var heldBy = regexp.MustCompile("`([a-z/]+)\\.(Test[A-Za-z0-9_]+)`")

// TestPromisesAreHeldByTests is over the promises in docs/security.md: each row names a test, and each
// test that is named exists.
func TestPromisesAreHeldByTests(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, broken := checkPromises(string(text), func(pkg string) (map[string]bool, error) { return testsOf(filepath.Join(root, pkg)) })
	for _, b := range broken {
		t.Error(b)
	}
	if rows < 30 {
		t.Errorf("docs/security.md has %d promises: their tables cannot be read", rows)
	}
}

func TestPromisesWithoutTestsAreFound(t *testing.T) {
	const text = `
| Attacker | What they have |
|---|---|
| Somebody | nothing |

## Promises

| Promise | Held by |
|---|---|
| good | ` + "`pkg/a.TestOne`, `pkg/a.TestTwo`" + ` |
| none | |
| gone | ` + "`pkg/a.TestThree`" + ` |

## What is not promised
`
	rows, broken := checkPromises(text, func(string) (map[string]bool, error) {
		return map[string]bool{"TestOne": true, "TestTwo": true}, nil
	})
	if want := `["none": no test holds it "gone": there is no test pkg/a.TestThree]`; rows != 3 || fmt.Sprint(broken) != want {
		t.Errorf("%d promises, %s; want 3, %s", rows, broken, want)
	}
}

// checkPromises counts the promises of a page, and returns a sentence for each that no test holds.
func checkPromises(text string, tests func(pkg string) (map[string]bool, error)) (rows int, broken []string) {
	_, text, _ = strings.Cut(text, "\n## Promises\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], "--") || strings.TrimSpace(cells[1]) == "Promise" {
			continue
		}
		rows++
		promise := strings.TrimSpace(cells[1])
		named := heldBy.FindAllStringSubmatch(cells[2], -1)
		if len(named) == 0 {
			broken = append(broken, fmt.Sprintf("%q: no test holds it", promise))
		}
		for _, n := range named {
			have, err := tests(n[1])
			if err != nil {
				broken = append(broken, fmt.Sprintf("%q: %v", promise, err))
			} else if !have[n[2]] {
				broken = append(broken, fmt.Sprintf("%q: there is no test %s.%s", promise, n[1], n[2]))
			}
		}
	}
	return rows, broken
}

var testFunction = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)

// testsOf are the names of the tests in a folder.
func testsOf(dir string) (map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range testFunction.FindAllStringSubmatch(string(source), -1) {
			names[m[1]] = true
		}
	}
	return names, nil
}
