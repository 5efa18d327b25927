package embedded

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// retryFullDisk is the pause before the next attempt to write to a full disk.
const retryFullDisk = 250 * time.Millisecond

// safeFS stands between the engine and the disk. The engine cannot go on after
// a failure to write its log or its manifest: it ends the process. safeFS keeps
// such errors from it. A write to a full disk is repeated until there is
// room (or the store is closed); after any other error the store has failed:
// the log is not written any more, though the engine is told that it is, so that those who
// wait for it get to see the failure; other goroutines of the engine stay parked.
// Errors of table files go to the engine: it repeats the flush or compaction.
type safeFS struct {
	vfs.FS
	health *health
	armed  *atomic.Bool // while false (during Open and Close), errors go to the engine, which reports them
	later  *laterSyncs  // nil: the log is synced when the engine says so
}

func newSafeFS(fs vfs.FS, h *health, later *laterSyncs) safeFS {
	return safeFS{FS: fs, health: h, armed: new(atomic.Bool), later: later}
}

// isLog tells the files of the write-ahead log.
func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// isTable tells the files whose errors the engine handles.
func isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

// errFailed stands for the error that made the store fail.
var errFailed = errors.New("the store has failed")

// try calls op until its result may go to the engine, which errFailed may not.
func (fs safeFS) try(name string, retryable bool, op func() error) error {
	err := fs.attempt(name, retryable, op)
	if errors.Is(err, errFailed) {
		select {}
	}
	return err
}

func (fs safeFS) attempt(name string, retryable bool, op func() error) error {
	for waiting := false; ; {
		err := op()
		full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
		if err == nil || !fs.armed.Load() || isTable(name) {
			if waiting {
				fs.health.full.Add(-1)
			}
			if err != nil && fs.armed.Load() {
				time.Sleep(retryFullDisk) // the engine repeats at once
			}
			return err
		}
		if !full || !retryable {
			fs.health.fail(err)
		}
		if fs.health.failure() != nil {
			return errFailed
		}
		if !waiting {
			waiting = true
			fs.health.full.Add(1)
			fs.health.log.Error("the disk is full: writes have to wait", "file", name, "error", err)
		}
		time.Sleep(retryFullDisk)
	}
}

func (fs safeFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &safeFile{File: f, fs: fs, name: name}, nil
}

func (fs safeFS) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = fs.try(name, true, func() error { f, err = fs.FS.Create(name, c); return err })
	return fs.wrap(name, f, err)
}

func (fs safeFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, opts...)
	return fs.wrap(name, f, err)
}

func (fs safeFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = fs.try(newname, true, func() error { f, err = fs.FS.ReuseForWrite(oldname, newname, c); return err })
	return fs.wrap(newname, f, err)
}

func (fs safeFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	return fs.wrap(name, f, err)
}

func (fs safeFS) Rename(oldname, newname string) error {
	return fs.try(newname, true, func() error { return fs.FS.Rename(oldname, newname) })
}

func (fs safeFS) Unwrap() vfs.FS { return fs.FS }

// safeFile is a file of a safeFS that is written to.
type safeFile struct {
	vfs.File
	fs   safeFS
	name string

	syncing sync.Mutex // held by laterSyncs while it syncs the file, which must not be closed meanwhile
}

// try runs an operation on the file as safeFS.try does. The log of a store that has failed is an
// exception: nothing is written to it any more, and the engine is told that it was. The log must
// not go on after something was left out of it, because a replay would then apply later writes
// without earlier ones.
func (f *safeFile) try(retryable bool, op func() error) error {
	if !isLog(f.name) {
		return f.fs.try(f.name, retryable, op)
	}
	if f.fs.armed.Load() && f.fs.health.failure() != nil {
		return nil
	}
	err := f.fs.attempt(f.name, retryable, op)
	if errors.Is(err, errFailed) {
		return nil
	}
	return err
}

func (f *safeFile) Write(p []byte) (n int, err error) {
	err = f.try(true, func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

// After a failed sync the system may have dropped what it could not write, and
// a second one would claim success: it is never repeated.

func (f *safeFile) Sync() error {
	if f.putOff() {
		return nil
	}
	return f.try(false, f.File.Sync)
}

func (f *safeFile) SyncData() error {
	if f.putOff() {
		return nil
	}
	return f.try(false, f.File.SyncData)
}

func (f *safeFile) SyncTo(length int64) (fullSync bool, err error) {
	if f.putOff() {
		return true, nil
	}
	err = f.try(false, func() error { fullSync, err = f.File.SyncTo(length); return err })
	return fullSync, err
}

// putOff leaves the sync of a log file to laterSyncs, if there is one.
func (f *safeFile) putOff() bool {
	if f.fs.later == nil || !isLog(f.name) {
		return false
	}
	f.fs.later.add(f)
	return true
}

func (f *safeFile) Close() error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if f.fs.later != nil && f.fs.later.take(f) {
		if err := f.fs.try(f.name, false, f.File.SyncData); err != nil {
			return err
		}
	}
	return f.fs.try(f.name, false, f.File.Close)
}
