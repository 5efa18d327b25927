package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/store"
)

// Folder keeps objects as files, readable by their owner alone. It is safe for concurrent use.
type Folder struct{ name string }

var _ objects.Store = Folder{}

// NewFolder makes a store of a folder, which need not exist until something is put there.
func NewFolder(name string) Folder { return Folder{name} }

// within opens the folder in a way that no name leads out of it.
func (f Folder) within(do func(root *os.Root) error) error {
	root, err := os.OpenRoot(f.name)
	if err != nil {
		return err
	}
	return errors.Join(do(root), root.Close())
}

// temporary ends the names of files that are being written.
const temporary = ".part"

// Put implements objects.Store. A file gets its name when it is whole.
func (f Folder) Put(_ context.Context, name string, data []byte) error {
	if !objects.ValidName(name) || strings.HasSuffix(name, temporary) || len(data) > objects.MaxData {
		return fmt.Errorf("putting object %q of %d bytes: %w", name, len(data), store.ErrTooLarge)
	}
	if err := os.MkdirAll(f.name, 0o700); err != nil {
		return err
	}
	return f.within(func(root *os.Root) error {
		if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
			return err
		}
		file, err := root.OpenFile(name+temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write(data)
		if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
			return err
		}
		return root.Rename(name+temporary, name)
	})
}

// Get implements objects.Store.
func (f Folder) Get(_ context.Context, name string, offset, length int64) (data []byte, err error) {
	err = f.within(func(root *os.Root) error {
		file, err := root.Open(name)
		if err != nil {
			return err
		}
		data = make([]byte, length)
		if length > 0 {
			_, err = file.ReadAt(data, offset)
		}
		return errors.Join(err, file.Close())
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("getting object %s: %w", name, objects.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("getting object %s: %w", name, err)
	}
	return data, nil
}

// Delete implements objects.Store. Folders that have become empty go as well.
func (f Folder) Delete(_ context.Context, names []string) error {
	err := f.within(func(root *os.Root) error {
		for _, name := range names {
			if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for dir := path.Dir(name); dir != "." && root.Remove(dir) == nil; dir = path.Dir(dir) {
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there is no folder
	}
	return err
}

// List implements objects.Store.
func (f Folder) List(_ context.Context, prefix, after string) (names []string, err error) {
	err = f.within(func(root *os.Root) error {
		from := path.Dir(prefix + "x") // the folder that everything with the prefix is in
		return fs.WalkDir(root.FS(), from, func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && !d.IsDir() && strings.HasPrefix(name, prefix) && name > after && !strings.HasSuffix(name, temporary) {
				names = append(names, name)
			}
			return err
		})
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing objects: %w", err)
	}
	slices.Sort(names) // the walk goes by folders
	return names[:min(len(names), objects.PageSize)], nil
}
