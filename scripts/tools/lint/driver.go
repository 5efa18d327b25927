package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// generatedModules begin the paths of packages that jsii generates, the CDK's: functions that pass their arguments to a
// process in Node. There are 190 of them, with more code than all others together. The bodies of these functions tell
// nothing of what they do. What is deprecated, they say when they are called, if JSII_DEPRECATED is fail.
var generatedModules = []string{"github.com/aws/aws-cdk-go/", "github.com/aws/constructs-go/", "github.com/cdklabs/"}

func isGenerated(path string) bool {
	return slices.ContainsFunc(generatedModules, func(m string) bool { return strings.HasPrefix(path, m) })
}

// asDriver is the environment variable that tells this program that it is called as a driver. It names a folder for what
// stands in for source.
const asDriver = "SKYSTASH_LINT_DRIVER"

// useDriver makes go/packages ask this program for packages; see "external driver" there.
func useDriver(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"GOPACKAGESDRIVER": self, asDriver: dir} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// drive answers like go/packages itself, but the source of generated packages is a file in dir that declares nothing.
// There is nothing to look through then; to those that import them, their types come from what the compiler has exported.
func drive(in io.Reader, out io.Writer, dir string, patterns []string) error {
	var req packages.DriverRequest
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return fmt.Errorf("reading a request: %w", err)
	}
	roots, err := packages.Load(&packages.Config{
		Mode:       req.Mode,
		Env:        append(slices.Clone(req.Env), "GOPACKAGESDRIVER=off"),
		BuildFlags: req.BuildFlags,
		Tests:      req.Tests,
		Overlay:    req.Overlay,
	}, patterns...)
	if err != nil {
		return err
	}
	answer := packages.DriverResponse{Compiler: "gc", Arch: runtime.GOARCH}
	for _, p := range roots {
		answer.Roots = append(answer.Roots, p.ID)
	}
	var failed error
	packages.Visit(roots, nil, func(p *packages.Package) {
		if isGenerated(p.PkgPath) && len(p.CompiledGoFiles) > 0 {
			file := filepath.Join(dir, p.Name+".go")
			failed = errors.Join(failed, os.WriteFile(file, []byte("package "+p.Name+"\n"), 0o600))
			p.CompiledGoFiles = []string{file}
		}
		answer.Packages = append(answer.Packages, p)
	})
	if failed != nil {
		return failed
	}
	return json.NewEncoder(out).Encode(answer)
}

// languageVersion is the version of Go that the module in this folder is written in. Drivers have no way to tell it.
func languageVersion() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.GoVersion}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	version := strings.SplitN(strings.TrimSpace(string(out)), ".", 3)
	if len(version) < 2 {
		return "", fmt.Errorf("the module's version of Go is %q", out)
	}
	if _, err := strconv.Atoi(version[1]); err != nil {
		return "", fmt.Errorf("the module's version of Go is %q", out)
	}
	return version[0] + "." + version[1], nil
}
