// Package functions_test checks what the functions of this folder are linked from.
package functions_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	sdk    = "github.com/aws/aws-sdk-go-v2/"
	module = "github.com/skystash/skystash/"
)

// services are the clients of AWS that each function may link, and engines the products. A client
// costs about a megabyte, and time in every cold start.
var functions = map[string]struct{ services, engines []string }{
	"redis":       {[]string{"dynamodb"}, []string{"redis"}},
	"sweep":       {[]string{"dynamodb"}, []string{"redis"}},
	"kafka":       {[]string{"dynamodb", "kinesis"}, []string{"kafka"}},
	"kafkasweep":  {[]string{"dynamodb", "kinesis"}, []string{"kafka"}},
	"materialize": {[]string{"dynamodb", "kinesis"}, []string{"kafka"}},
	"qstash":      {[]string{"dynamodb", "scheduler", "sqs"}, []string{"qstash"}},
	"deliver":     {[]string{"dynamodb", "scheduler", "sqs"}, []string{"qstash"}},
	"attempt":     {[]string{"dynamodb", "scheduler", "sqs"}, []string{"qstash"}},
	"meter":       {[]string{"dynamodb"}, []string{"control", "kafka", "qstash", "redis"}},
	"gateway":     {[]string{"dynamodb", "ecs", "kinesis", "route53"}, []string{"kafka", "redis"}},
	"console":     {[]string{"dynamodb", "kinesis", "scheduler", "sqs", "ssm"}, []string{"console", "control", "kafka", "qstash", "redis"}},
}

// helpers link nothing of their own: what they link counts for the functions that use them.
var helpers = []string{"backend", "launch", "runtimetest"}

// never is what no function links: ways to credentials that Lambda does not need, what tests use,
// and packages whose size comes as a surprise.
var never = []string{
	sdk + "config", sdk + "feature/ec2/imds",
	"encoding/xml", "expvar", "flag", "net/http/httptest", "net/http/pprof", "net/rpc", "testing",
	module + "infra", module + "integration", module + "scripts",
	module + "pkg/kafka/wire", // a function keeps no connection of Kafka's protocol open
}

// staying is what the gateway links although functions do not: it is started once, and stays.
var staying = []string{"encoding/xml" /* Route 53's */, module + "pkg/kafka/wire"}

func TestEachFunctionLinksItsProductAlone(t *testing.T) {
	for _, name := range folders(t) {
		want, known := functions[name]
		if !known {
			t.Errorf("functions/%s is not in the table", name)
			continue
		}
		var services, engines []string
		for _, pkg := range linked(t, "./"+name) {
			switch dir, base := path.Split(pkg); dir {
			case sdk + "service/":
				services = append(services, base)
			case module + "pkg/":
				if slices.Contains([]string{"console", "control", "kafka", "qstash", "redis"}, base) {
					engines = append(engines, base)
				}
			}
			for _, unwanted := range never {
				if name == "gateway" && slices.Contains(staying, unwanted) {
					continue
				}
				if pkg == unwanted || strings.HasPrefix(pkg, unwanted+"/") {
					t.Errorf("functions/%s links %s", name, pkg)
				}
			}
			if strings.HasPrefix(pkg, module) && strings.HasSuffix(pkg, "test") {
				t.Errorf("functions/%s links %s, which is for tests", name, pkg)
			}
		}
		slices.Sort(services)
		slices.Sort(engines)
		if !slices.Equal(services, want.services) {
			t.Errorf("functions/%s links the clients of %v, want %v", name, services, want.services)
		}
		if !slices.Equal(engines, want.engines) {
			t.Errorf("functions/%s links the engines %v, want %v", name, engines, want.engines)
		}
	}
}

// The infrastructure and the tools import the contract, and must not get the AWS SDK with it.
func TestContractLinksNothing(t *testing.T) {
	for _, pkg := range linked(t, "./backend/contract") {
		if first, _, _ := strings.Cut(pkg, "/"); strings.Contains(first, ".") && pkg != module+"functions/backend/contract" {
			t.Errorf("it links %s", pkg)
		}
	}
}

// folders are the functions: the folders that are not helpers.
func folders(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(helpers, e.Name()) {
			names = append(names, e.Name())
		}
	}
	if len(names) < len(functions) {
		t.Errorf("folders %v, the table has %d", names, len(functions))
	}
	return names
}

// linked are the packages that are linked with one, as it is deployed.
func linked(t *testing.T, pkg string) (paths []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "lambda.norpc",
		"-f", "{{.ImportPath}}{{with .Module}}{{if .Main}} {{$.Dir}}{{end}}{{end}}", pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, dir, ours := strings.Cut(strings.TrimSpace(line), " ")
		paths = append(paths, path)
		if ours {
			look(t, dir)
		}
	}
	return paths
}

// look makes go test run these tests again when the package in a folder has changed: it remembers a
// result for as long as the files stay as they are that the test itself, not go list, has looked at.
func look(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
}
