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
	"context"
	"fmt"
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
	// What is gone from the source must not be found.
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, arch := range []string{runtime.GOARCH, "arm64"} {
		if err := bundle.BuildAll(ctx, ".", "./functions/...", arch, filepath.Join(dir, arch, "functions")); err != nil {
			return err
		}
	}
	local := filepath.Join(dir, "local")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", local, "./scripts/local").CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", local, err, out)
	}
	return nil
}
