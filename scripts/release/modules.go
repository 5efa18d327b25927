package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// brotli is a module that fasthttp needs for what nothing here asks of it, and noBrotli what stands there in a release.
const (
	brotli   = "github.com/molecule-man/go-brrr"
	noBrotli = `package brrr

import (
	"errors"
	"io"
)

const (
	BestSpeed       = 0
	BestCompression = 11
)

var errMissing = errors.New("this program is built without Brotli")

type Reader struct{}

func NewReader(io.Reader) *Reader        { return &Reader{} }
func (*Reader) Read([]byte) (int, error) { return 0, errMissing }
func (*Reader) Reset(io.Reader)          {}
func (*Reader) Close() error             { return nil }

type Writer struct{}

func NewWriter(io.Writer, int) (*Writer, error) { return &Writer{}, nil }
func (*Writer) Write([]byte) (int, error)       { return 0, errMissing }
func (*Writer) Flush() error                    { return errMissing }
func (*Writer) Close() error                    { return errMissing }
func (*Writer) Reset(io.Writer)                 {}
`
)

// modules writes the go.mod of a release into a folder: ours, with noBrotli.
func (r *release) modules(dir string) (file string, err error) {
	file = filepath.Join(dir, "go.mod")
	stub := filepath.Join(dir, "brotli")
	mod, err := os.ReadFile(filepath.Join(r.root, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("reading the modules: %w", err)
	}
	sums, err := os.ReadFile(filepath.Join(r.root, "go.sum"))
	if err != nil {
		return "", fmt.Errorf("reading the modules: %w", err)
	}
	err = os.Mkdir(stub, 0o700)
	for name, text := range map[string]string{
		filepath.Join(stub, "go.mod"):    "module " + brotli + "\n",
		filepath.Join(stub, "brotli.go"): noBrotli,
		file:                             fmt.Sprintf("%s\nreplace %s => %s\n", mod, brotli, stub),
		filepath.Join(dir, "go.sum"):     string(sums),
	} {
		err = errors.Join(err, os.WriteFile(name, []byte(text), 0o600)) // #nosec G703 -- in a folder of our own
	}
	if err != nil {
		return "", fmt.Errorf("writing the modules: %w", err)
	}
	return file, nil
}
