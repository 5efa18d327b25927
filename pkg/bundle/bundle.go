// Package bundle compiles Lambda functions the way they are deployed. The CDK
// app deploys what it builds and the functions' tests run it, so both are the
// same program.
package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Executable is the name that Lambda's OS-only runtimes (provided.al2023) start.
const Executable = "bootstrap"

// Build compiles the package (an import path, or a path that starts with "./"
// as seen from the module folder) for Linux on an architecture ("arm64",
// "amd64") and puts the executable into the folder dir. The result depends on
// the source alone, not on where or from which commit it is built: an unchanged
// function is not deployed again.
func Build(ctx context.Context, module, pkg, arch, dir string) (executable string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", pkg, err)
	}
	executable = filepath.Join(dir, Executable)
	return executable, compile(ctx, module, pkg, arch, executable)
}

// BuildAll compiles the functions among the packages of a pattern, such as "./functions/...", as Build
// does, at once. The executables have the names of their packages, in the folder dir.
func BuildAll(ctx context.Context, module, pattern, arch, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("building %s: %w", pattern, err)
	}
	// The separator makes it a folder.
	return compile(ctx, module, pattern, arch, dir+string(filepath.Separator))
}

func compile(ctx context.Context, module, pkg, arch, output string) error {
	cmd := exec.CommandContext(ctx, "go", "build",
		"-tags", "lambda.norpc", // without the protocol of the retired go1.x runtime
		"-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid=",
		"-o", output, pkg)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// ZipSize is the size in bytes of the archive that Lambda gets for an
// executable.
func ZipSize(executable string) (int64, error) {
	file, err := os.Open(executable)
	if err != nil {
		return 0, fmt.Errorf("zipping: %w", err)
	}
	defer file.Close()
	var archive bytes.Buffer
	zw := zip.NewWriter(&archive)
	entry, err := zw.Create(Executable)
	if err == nil {
		_, err = io.Copy(entry, file)
	}
	if err == nil {
		err = zw.Close()
	}
	if err != nil {
		return 0, fmt.Errorf("zipping %s: %w", executable, err)
	}
	return int64(archive.Len()), nil
}
