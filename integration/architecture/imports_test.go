// Package architecture tests the rules of CONTRIBUTING.md about who may import whom.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/skystash/skystash/"

// below names, for every folder of the module, those that its packages and their tests may import
// beside their own.
var below = map[string][]string{
	"pkg":         nil,
	"functions":   {"pkg"},
	"infra":       {"functions", "pkg"},
	"scripts":     {"functions", "pkg"},
	"integration": {"functions", "pkg"},
}

// Only these packages of pkg may import net/http, and be imported by one that may. All others are
// engines and what engines are made of.
var knowHTTP = []string{
	"pkg/awsbody", // for the clients of the SDK
	"pkg/console",
	"pkg/control/rest",
	"pkg/edge",
	"pkg/kafka/ingest/kinesis", // makes the client of its SDK
	"pkg/kafka/objects/s3",     // speaks to S3 itself
	"pkg/kafka/rest",
	"pkg/kafka/wire", // its requests are counted as those over HTTP are
	"pkg/redis/wire", // so are its commands
	"pkg/lambdahttp",
	"pkg/qstash/deliver",
	"pkg/qstash/rest",
	"pkg/redis/rest",
	"pkg/store/dynamo", // makes the client of its SDK
	"pkg/testenv",
}

// Only these may import packages of AWS.
var knowAWS = []string{
	"pkg/awsbody",
	"pkg/control/ssmkeys",
	"pkg/kafka/ingest/kinesis",
	"pkg/kafka/objects/s3",
	"pkg/lambdahttp",
	"pkg/qstash/wake/aws",
	"pkg/store/dynamo",
	"pkg/testenv",
}

// products know nothing of each other; pkg/control and pkg/console know them all.
var products = []string{"pkg/kafka", "pkg/qstash", "pkg/redis"}

// floors names, for each package that the engine of Redis stands on, those of pkg/redis that it and its tests may
// import. None of them knows the engine.
var floors = map[string][]string{
	"pkg/redis/internal": {"pkg/redis/internal"},
	"pkg/redis/resp":     {"pkg/redis/internal"},
	"pkg/redis/script":   {"pkg/redis/internal", "pkg/redis/resp"},
	"pkg/redis/keyspace": {"pkg/redis/internal"},
	"pkg/redis/command":  {"pkg/redis/internal", "pkg/redis/resp", "pkg/redis/keyspace"},
	"pkg/redis/pubsub":   {"pkg/redis/internal", "pkg/redis/resp", "pkg/redis/keyspace", "pkg/redis/command"},
	"pkg/redis/stats":    {"pkg/redis/internal", "pkg/redis/resp", "pkg/redis/keyspace", "pkg/redis/command"},
	"pkg/redis/acl":      {"pkg/redis/internal", "pkg/redis/resp", "pkg/redis/keyspace", "pkg/redis/command"},
	"pkg/redis/scripts":  {"pkg/redis/internal", "pkg/redis/resp", "pkg/redis/keyspace", "pkg/redis/command", "pkg/redis/script"},
}

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// TestImportsPointDown is over all packages of the module and their tests.
func TestImportsPointDown(t *testing.T) {
	packages := list(t)
	for _, broken := range check(packages) {
		t.Error(broken)
	}
	seen := map[string]bool{}
	for _, p := range packages {
		folder, _, _ := strings.Cut(short(p.ImportPath), "/")
		seen[folder] = true
	}
	for folder := range below {
		if !seen[folder] {
			t.Errorf("go list names no package in %s, of which there is a rule", folder)
		}
	}
	for floor := range floors {
		if !slices.ContainsFunc(packages, func(p pkg) bool { return within([]string{floor}, short(p.ImportPath)) != "" }) {
			t.Errorf("go list names no package in %s, of which there is a rule", floor)
		}
	}
}

func TestArrowsThatPointUpAreFound(t *testing.T) {
	for _, row := range []struct {
		of, imports string
		test        bool
	}{
		{of: "pkg/store/dynamo", imports: "integration/lib"},
		{of: "pkg/store/dynamo", imports: "functions/backend", test: true},
		{of: "pkg/redis", imports: "infra"},
		{of: "functions/redis", imports: "infra", test: true},
		{of: "functions/redis", imports: "scripts/local/server"},
		{of: "infra", imports: "scripts/local/server"},
		{of: "scripts/local/server", imports: "integration/lib", test: true},
		{of: "newfolder/x", imports: "pkg/redis"},
		{of: "pkg/redis/cli", imports: "net/http"},
		{of: "pkg/redis/keyspace", imports: "pkg/redis/command", test: true},
		{of: "pkg/redis/internal/num", imports: "pkg/redis/keyspace"},
		{of: "pkg/redis/pubsub", imports: "pkg/redis", test: true},
		{of: "pkg/redis/acl", imports: "pkg/redis/pubsub"},
		{of: "pkg/redis/scripts", imports: "pkg/redis"},
		{of: "pkg/redis", imports: "pkg/redis/rest"},
		{of: "pkg/redis", imports: "github.com/aws/aws-sdk-go-v2/aws"},
		{of: "pkg/qstash", imports: "pkg/qstash/wake/aws"},
		{of: "pkg/redis/rest", imports: "github.com/aws/aws-lambda-go/events"},
		{of: "pkg/redis/rest", imports: "pkg/kafka/batch", test: true},
		{of: "pkg/redis", imports: "pkg/testenv/dynamolocal"},
		{of: "functions/redis", imports: "pkg/testenv/runtimetest"},
		{of: "pkg/store/dynamo", imports: "pkg/store/storetest"},
	} {
		of := pkg{ImportPath: long(row.of)}
		imports := []string{long(row.imports)}
		if row.test {
			of.XTestImports = imports
		} else {
			of.Imports = imports
		}
		if got := check([]pkg{of}); len(got) == 0 {
			t.Errorf("%s may import %s (in a test: %v)", row.of, row.imports, row.test)
		}
	}
}

// check returns a sentence for every import that breaks a rule.
func check(packages []pkg) (broken []string) {
	for _, p := range packages {
		of := short(p.ImportPath)
		complain := func(imported, why string) {
			broken = append(broken, fmt.Sprintf("%s imports %s: %s", of, short(imported), why))
		}
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			to := short(i)
			if to == i {
				continue // not of the module
			}
			if own, other := folder(of), folder(to); own != other && !slices.Contains(below[own], other) {
				complain(i, "the arrow points up")
			}
			if a, b := within(products, of), within(products, to); a != "" && b != "" && a != b {
				complain(i, "products know nothing of each other")
			}
			if floor := floorOf(of); floor != "" && within(products, to) == "pkg/redis" && within(append(floors[floor], floor), to) == "" {
				complain(i, "it is no lower floor")
			}
		}
		for _, i := range p.Imports {
			to := short(i)
			if forTests(to) && !forTests(of) {
				complain(i, "it is for tests")
			}
			if folder(of) != "pkg" {
				continue
			}
			if (i == "net/http" || within(knowHTTP, to) != "") && within(knowHTTP, of) == "" {
				complain(i, "only handlers and senders know HTTP")
			}
			if (strings.HasPrefix(i, "github.com/aws/") || within(knowAWS, to) != "") && within(knowAWS, of) == "" {
				complain(i, "only implementations of ports know AWS")
			}
		}
	}
	return broken
}

// forTests tells of a package that tests import, and nobody else: a stand-in for a service, or, as
// their names tell, a suite or a fixture.
func forTests(path string) bool {
	return within([]string{"pkg/testenv"}, path) != "" || strings.HasPrefix(path, "pkg/") && strings.HasSuffix(path, "test")
}

// within returns the folder that path is, or is in, or "".
func within(folders []string, path string) string {
	i := slices.IndexFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
	if i < 0 {
		return ""
	}
	return folders[i]
}

// floorOf returns the floor that a package is, or is in, or "".
func floorOf(path string) string {
	for floor := range floors {
		if within([]string{floor}, path) != "" {
			return floor
		}
	}
	return ""
}

func folder(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func short(importPath string) string { return strings.TrimPrefix(importPath, module) }

// long is what short was made from.
func long(path string) string {
	for _, other := range []string{"net/http", "github.com/"} {
		if strings.HasPrefix(path, other) {
			return path
		}
	}
	return module + path
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
