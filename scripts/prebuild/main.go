// Command prebuild compiles what tests run as processes: the functions, for this machine and for
// Lambda's arm64, and the local server. scripts/test runs it once, before the tests.
//
//	go run ./scripts/prebuild build/prebuilt
//
// The folder that it is given then has local, and functions/<name> for each architecture in a folder
// of that name. Tests find them by the environment variable SKYSTASH_PREBUILT, and compile
// themselves what they need if it is not set.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/skystash/skystash/pkg/bundle"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./scripts/prebuild <folder>, in the folder of the module")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "prebuild:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) error {
	fresh := dir + ".new"
	defer os.RemoveAll(fresh)
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	for _, arch := range []string{runtime.GOARCH, "arm64"} {
		if err := bundle.BuildAll(ctx, ".", "./functions/...", arch, filepath.Join(fresh, arch, "functions")); err != nil {
			return err
		}
	}
	local := filepath.Join(fresh, "local")
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", local, "./scripts/local").CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", local, err, out)
	}
	return replace(dir, fresh)
}

// replace makes dir what fresh is. A file that is the same already stays, with its time: go test takes
// a test for passed as long as the files it has looked at have their size and time.
func replace(dir, fresh string) error {
	err := filepath.WalkDir(fresh, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(fresh, path)
		if err != nil {
			return err
		}
		same, err := equal(filepath.Join(dir, name), path)
		if err != nil || !same {
			return err
		}
		return os.Rename(filepath.Join(dir, name), path)
	})
	if err != nil {
		return err
	}
	// What is gone from the source must not be found.
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(fresh, dir)
}

// equal tells whether two files have the same bytes; the old one may be missing.
func equal(old, fresh string) (bool, error) {
	a, err := os.ReadFile(old)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, err := os.ReadFile(fresh)
	return bytes.Equal(a, b), err
}
