package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/skystash/skystash/pkg/store"
)

// ErrLocked means that another process, or another Store of this one, uses the folder.
var ErrLocked = errors.New("embedded: the data folder is in use by another process")

// ErrNewerFormat means that a newer version of the program has written the folder.
var ErrNewerFormat = errors.New("embedded: the data folder was written by a newer version")

var errClosed = errors.New("the store is closed")

// Defaults of Options.
const (
	DefaultReclaimEvery = 30 * time.Second
	DefaultReclaimGrace = time.Minute
)

// Options say where and how to open a store.
type Options struct {
	// Dir is the folder; it is created if need be. Nothing else may be kept in it.
	Dir string
	// InMemory keeps everything in memory instead; Dir must then be empty.
	InMemory bool

	// SyncEvery, if not zero, acknowledges a write once the operating system has
	// it, and syncs the disk at this interval: no write is lost when the process
	// is killed, but a crash of the machine takes back the writes of up to that
	// time, always the latest ones. While the disk is full, writes under way wait
	// whatever their contexts. Zero: a write returns once it is on disk.
	SyncEvery time.Duration

	// Now is the clock by which the time of items passes (see store.TTLAttr): the one of
	// those who write them. Nil: no items are reclaimed.
	Now func() time.Time
	// ReclaimEvery is the pause between two searches for items whose time has
	// passed, ReclaimGrace how long they are kept beyond it. Zero: the defaults above.
	ReclaimEvery time.Duration
	ReclaimGrace time.Duration

	Logger *slog.Logger // nil: slog.Default

	disk vfs.FS // tests: instead of the real one
}

// Sizes for a small machine.
const (
	cacheSize    = 64 << 20
	memTableSize = 64 << 20
	bloomBits    = 10 // per key: about 1 % of the lookups of missing keys read in vain
)

// Store is a store in one folder. See the package's documentation.
type Store struct {
	name    string // for messages: the folder
	db      *pebble.DB
	lock    *pebble.Lock
	fs      safeFS
	health  *health
	stripes *stripes
	recent  *recent
	syncer  *syncer
	janitor *janitor // nil: nothing is reclaimed

	// inPerson makes a writer wait for the log by itself, not through the syncer.
	// That saves two of three switches between goroutines, but cannot be given up:
	// good for a wait that is short, because nothing is fsynced.
	inPerson bool

	calls *gate
}

var _ store.Store = (*Store)(nil)

// Open opens the store in a folder, or creates it. The error is ErrLocked,
// ErrNewerFormat or store.ErrUnavailable.
func Open(o Options) (*Store, error) {
	if (o.Dir == "") != o.InMemory {
		return nil, errors.New("embedded: give either a folder or InMemory")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.ReclaimEvery == 0 {
		o.ReclaimEvery = DefaultReclaimEvery
	}
	if o.ReclaimGrace == 0 {
		o.ReclaimGrace = DefaultReclaimGrace
	}
	name, dir := o.Dir, o.Dir
	switch {
	case o.InMemory:
		name, dir = "memory", "/"
		o.disk = vfs.NewMem()
	case o.disk == nil:
		o.disk = vfs.Default
		var err error
		if dir, err = prepareDir(dir); err != nil {
			return nil, unavailable("preparing the data folder "+name, err)
		}
	}

	lock, err := pebble.LockDirectory(dir, o.disk)
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return nil, unavailable("opening the data folder "+name, err)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %s (%w)", ErrLocked, name, err)
	}
	s := &Store{name: name, lock: lock, health: newHealth(o.Logger), stripes: newStripes(), calls: newGate()}
	var later *laterSyncs
	if o.SyncEvery > 0 && !o.InMemory {
		later = startLaterSyncs(o.SyncEvery)
	}
	s.inPerson = later != nil
	s.fs = newSafeFS(o.disk, s.health, later)
	if s.db, err = pebble.Open(dir, s.engineOptions(o)); err != nil {
		later.close()
		return nil, errors.Join(unavailable("opening the data folder "+name, err), lock.Close())
	}
	if err := s.checkFormat(o.InMemory); err != nil {
		later.close()
		return nil, errors.Join(err, s.db.Close(), lock.Close())
	}
	if s.recent, err = newRecent(); err != nil {
		later.close()
		return nil, errors.Join(unavailable("taking memory", err), s.db.Close(), lock.Close())
	}
	s.fs.armed.Store(true)
	s.syncer = startSyncer(s.db, s.health, o)
	if o.Now != nil {
		s.janitor = startJanitor(s, o.ReclaimEvery, o.ReclaimGrace, o.Now)
	}
	return s, nil
}

func (s *Store) engineOptions(o Options) *pebble.Options {
	eo := &pebble.Options{
		FS:                 s.fs,
		DisableWAL:         o.InMemory,
		Lock:               s.lock,
		Logger:             engineLogger{s.health},
		EventListener:      s.health.listen(),
		FormatMajorVersion: pebble.FormatTableFormatV6,
		// What memtables take counts towards the cache. Two of them, one that is written to and one that is
		// flushed, must leave room for blocks: else each Get decompresses its block again.
		CacheSize:                   cacheSize + 2*memTableSize,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000, // better slow reads than no writes
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 2 },
	}
	for i := range eo.Levels {
		eo.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	return eo
}

// prepareDir creates the folder and returns its one true name: the lock does
// not see through links.
func prepareDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	var created []string // parents of the folders to create
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := vfs.Default.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		created = append(created, filepath.Dir(d))
	}
	if err := vfs.Default.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, d := range created { // a new folder survives a crash once its parent is synced
		f, err := vfs.Default.OpenDir(d)
		if err != nil {
			return "", err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return "", err
		}
	}
	return filepath.EvalSymlinks(dir)
}

// formatVersion is the version of the layout of keys, kept under formatKey.
const (
	formatVersion = 1
	formatKey     = string(spaceMeta) + "format"
)

// checkFormat compares the folder's layout with ours; an empty folder gets ours.
func (s *Store) checkFormat(inMemory bool) error {
	v, closer, err := s.db.Get([]byte(formatKey))
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		sync := pebble.WriteOptions{Sync: !inMemory}
		if err := s.db.Set([]byte(formatKey), []byte{formatVersion}, &sync); err != nil {
			return unavailable("writing to the data folder "+s.name, err)
		}
		return nil
	case err != nil:
		return unavailable("reading the format of the data folder "+s.name, err)
	}
	defer closer.Close()
	if len(v) != 1 || v[0] > formatVersion {
		return fmt.Errorf("%w: %s has format %d, this program knows %d", ErrNewerFormat, s.name, v, formatVersion)
	}
	return nil
}

// Close waits for the calls under way, releases the folder and returns.
// Calls that come later fail with store.ErrUnavailable; only the first Close does
// anything. If the store has failed or waits for a full disk, the folder stays
// locked until the process ends, and the error says so.
func (s *Store) Close() error {
	if !s.calls.shut() {
		return nil
	}
	ticker := time.NewTicker(retryFullDisk)
	defer ticker.Stop()
	for waiting := true; waiting; {
		select {
		case <-s.calls.idle:
			waiting = false
		case <-ticker.C:
			waiting = s.health.writable() == nil
		}
	}
	if err := s.health.writable(); err != nil {
		// Calls that wait for the disk return; the engine itself may wait for it forever.
		s.health.fail(fmt.Errorf("closed while the disk could not be written: %w", err))
		return unavailable("closing the data folder "+s.name, err)
	}
	closed := make(chan error, 1)
	go func() {
		if s.janitor != nil {
			s.janitor.close()
		}
		s.syncer.close()
		s.fs.armed.Store(false)
		err := errors.Join(s.db.Close(), s.lock.Close(), s.recent.close())
		s.fs.later.close()
		closed <- err
	}()
	var err error
	select {
	case err = <-closed:
	case <-s.health.failed: // the engine may be parked
		err = s.health.failure()
	}
	if err != nil {
		return unavailable("closing the data folder "+s.name, err)
	}
	return nil
}

// begin opens a call, which ends by s.calls.leave.
func (s *Store) begin(ctx context.Context, what string, write bool) error {
	if err := ctx.Err(); err != nil {
		return unavailable(what, err)
	}
	if !s.calls.enter() {
		return unavailable(what, errClosed)
	}
	err := s.health.failure()
	if err == nil && write {
		err = s.health.writable()
	}
	if err != nil {
		s.calls.leave()
		return unavailable(what, err)
	}
	return nil
}
