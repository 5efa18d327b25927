package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestFilesAreWholeOrAsTheyWere(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	put := func(text string, err error) error {
		return Write(name, func(w io.Writer) error {
			_, werr := io.WriteString(w, text)
			return errors.Join(werr, err)
		})
	}
	want := func(text string) {
		t.Helper()
		got, err := os.ReadFile(name)
		if err != nil || string(got) != text {
			t.Errorf("the file has %q, %v; want %q", got, err, text)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 1 {
			t.Errorf("the folder has %v, %v", files, err)
		}
	}
	if err := put("first", nil); err != nil {
		t.Fatal(err)
	}
	want("first")
	failed := errors.New("no more")
	if err := put("half", failed); !errors.Is(err, failed) {
		t.Errorf("a failure is told as %v", err)
	}
	want("first")
	if err := put("second", nil); err != nil {
		t.Fatal(err)
	}
	want("second")
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := Write(filepath.Join(dir, "missing", "file"), func(io.Writer) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a folder that there is not: %v", err)
	}
}
