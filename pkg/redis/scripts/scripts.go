package scripts

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store"
)

const (
	elemScript  = "\x07"
	elemLibrary = "\x08"
)

// Scripts are the scripts and function libraries of all databases in a store, and what is remembered of them. They are
// safe for concurrent use.
type Scripts struct {
	store   store.Store
	now     func() time.Time
	log     *slog.Logger
	retry   store.Retry
	locks   *store.Locks
	records Records

	interpreter *script.Interpreter
	programs    *lru[string, *script.Program] // by the SHA-1 of their sources, of any database
	stored      *lru[storedScript, struct{}]  // scripts known to be in the store
	libraries   *lru[librarySet, *libraries]
	changes     libraryQueue
}

// Config is what Scripts are made of. All of it is needed.
type Config struct {
	Store   store.Store
	Now     func() time.Time
	Log     *slog.Logger // also for what scripts log
	Retry   store.Retry
	Locks   *store.Locks // of the engine: the libraries of a database are changed by one call at a time
	Records Records
	Limits  script.Limits // of each run
}

// Records are the records of databases, which say what generations are in force. Instances may use a record for a while
// after it has changed.
type Records interface {
	// ReadRecord reads a database's record now.
	ReadRecord(ctx context.Context, id string) (*keyspace.Database, error)
	// ForgetRecord makes a database's record be read again.
	ForgetRecord(id string)
	// AllKnow is when all instances know of a change that is made now. Both are in Unix ms.
	AllKnow(now int64) int64
	// WaitUntil waits for a time in Unix ms.
	WaitUntil(ctx context.Context, ms int64) error
}

// New makes Scripts.
func New(cfg Config) *Scripts {
	return &Scripts{
		store: cfg.Store, now: cfg.Now, log: cfg.Log, retry: cfg.Retry, locks: cfg.Locks, records: cfg.Records,
		interpreter: script.New(cfg.Limits),
		programs:    newLRU[string, *script.Program](programCache),
		stored:      newLRU[storedScript, struct{}](storedCache),
		libraries:   newLRU[librarySet, *libraries](programCache),
	}
}

func (s *Scripts) nowMs() int64 { return s.now().UnixMilli() }

// Commands are the commands about scripts and functions, for the table.
func (s *Scripts) Commands() []*command.Command {
	return slices.Concat(s.scriptCommands(), s.functionCommands())
}

// Partitions are those of the scripts and libraries of a database whose record has two numbers of generations. Those
// before may be being cleared away.
func Partitions(db string, scripts, libs int64) []string {
	return []string{
		keyspace.ElemPartition(db, scriptGen(scripts-1)), keyspace.ElemPartition(db, scriptGen(scripts)),
		keyspace.ElemPartition(db, libraryGen(libs-1)), keyspace.ElemPartition(db, libraryGen(libs)),
	}
}

// scriptGen and libraryGen name generations of items.
func scriptGen(n int64) string  { return "s" + keyspace.PutUint64(uint64(n)) }
func libraryGen(n int64) string { return "l" + keyspace.PutUint64(uint64(n)) }

// advance replaces a generation of scripts or libraries by the next one. attr is the attribute of
// the database's record that counts these generations, old is the name of the generation that
// becomes garbage, and ops are writes that belong to the same commit. advance returns when all
// instances use the new generation. It fails with store.ErrConflict if somebody else advanced the
// record after d was read.
func (s *Scripts) advance(ctx context.Context, d *keyspace.Database, attr string, g keyspace.Generation, old string, ops []store.Op) error {
	at := s.records.AllKnow(s.nowMs())
	var is store.Cond = store.Eq(attr, store.Int(g.N))
	if g.N == 0 {
		is = store.Absent(attr)
	}
	ops = append(ops,
		store.Update(keyspace.RecordKey(d.ID), store.And{store.Exists(keyspace.RecSlots), is},
			store.Set(attr, store.Int(g.N+1)), store.Set(attr+keyspace.RecAt, store.Int(at))),
		keyspace.ReclaimNote(at, old, d.ID, store.Key{}))
	if err := s.store.Commit(store.NoRepeat(ctx), ops); err != nil {
		if _, changed := keyspace.IsConditionError(err); changed {
			err = store.ErrConflict
		} else {
			s.records.ForgetRecord(d.ID) // for it may have changed
		}
		return fmt.Errorf("replacing %s of database %s: %w", attr, d.ID, err)
	}
	if _, err := s.records.ReadRecord(ctx, d.ID); err != nil {
		return err
	}
	return s.records.WaitUntil(ctx, at)
}

// awaitChange reads the record of a database. If a change of scripts or libraries is under way, it
// first waits until that change is in force on every instance.
func (s *Scripts) awaitChange(ctx context.Context, id string, of func(*keyspace.Database) keyspace.Generation) (*keyspace.Database, error) {
	for {
		d, err := s.records.ReadRecord(ctx, id)
		if err != nil || s.nowMs() >= of(d).At {
			return d, err
		}
		if err := s.records.WaitUntil(ctx, of(d).At); err != nil {
			return nil, err
		}
	}
}

// flushScripts forgets all scripts of a database.
func (s *Scripts) flushScripts(ctx context.Context, id string) error {
	d, err := s.awaitChange(ctx, id, func(d *keyspace.Database) keyspace.Generation { return d.Scripts })
	if err != nil {
		return err
	}
	err = s.advance(ctx, d, keyspace.RecScripts, d.Scripts, scriptGen(d.Scripts.N), nil)
	if errors.Is(err, store.ErrConflict) {
		// Somebody else's flush, begun after ours, has emptied the generation for us as well.
		_, err = s.awaitChange(ctx, id, func(d *keyspace.Database) keyspace.Generation { return d.Scripts })
	}
	return err
}

// storedScript is a script of a database's generation.
type storedScript struct {
	db  string
	gen int64
	sha string
}

const (
	programCache = 32 << 20 // bytes of sources
	storedCache  = 50_000   // scripts
)

const shaLen = 2 * sha1.Size // of a script's name, in hexadecimal

func shaOf(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// program compiles a source, unless it is known.
func (s *Scripts) program(sha, source string) (*script.Program, error) {
	if p, ok := s.programs.get(sha); ok {
		return p, nil
	}
	p, err := s.interpreter.Compile(source)
	if err != nil {
		return nil, luaError(err)
	}
	s.programs.put(sha, p, len(source)+1024)
	return p, nil
}

// luaError makes the script package's errors this one's.
func luaError(err error) error {
	var se script.Error
	if errors.As(err, &se) {
		return resp.Error(se)
	}
	return err
}

func storedScriptOf(tx *keyspace.Txn, sha string) (storedScript, store.Key) {
	gen := tx.Database().Scripts.In(tx.Now())
	return storedScript{tx.Database().ID, gen, sha}, store.Key{Partition: keyspace.ElemPartition(tx.Database().ID, scriptGen(gen)), Sort: elemScript + sha}
}

// keepScript compiles a source and sees to it that the store has it.
func (s *Scripts) keepScript(tx *keyspace.Txn, source string) (sha string, p *script.Program, err error) {
	sha = shaOf(source)
	if p, err = s.program(sha, source); err != nil {
		return "", nil, err
	}
	id, key := storedScriptOf(tx, sha)
	if _, ok := s.stored.get(id); ok {
		return sha, p, nil
	}
	old, err := s.store.Get(tx.Context(), key)
	if err == nil && old == nil {
		// The store may repeat this as it likes: it is always the same item.
		err = s.store.Load(tx.Context(), []store.Item{{Key: key, Attrs: store.Attrs{{Name: keyspace.AttrValue, Value: store.Bytes(source)}}}}, nil)
		if errors.Is(err, store.ErrUnknownOutcome) {
			err = fmt.Errorf("%w (%v)", store.ErrUnavailable, err)
		}
	}
	if err != nil {
		tx.Fail(fmt.Errorf("storing a script: %w", err))
		return "", nil, tx.Err()
	}
	s.stored.put(id, struct{}{}, 1)
	return sha, p, nil
}

// NeverWrites reports whether a script or function that a command runs is known here to have the flag no-writes.
func (s *Scripts) NeverWrites(ctx context.Context, db *keyspace.Database, cmd *command.Command, args []string) bool {
	if len(args) < 2 {
		return false
	}
	switch cmd.Name {
	case "eval":
		return script.HeaderOf(args[1]).Flags.NoWrites
	case "evalsha":
		p, ok := s.programs.get(strings.ToLower(args[1]))
		return ok && p.Header.Flags.NoWrites
	case "fcall":
		ls, err := s.librariesOf(ctx, db.ID, db.Libs.In(s.nowMs()))
		if err != nil {
			return false
		}
		f := ls.function(args[1])
		return f != nil && f.Flags.NoWrites
	}
	return false
}

const errNoScript resp.Error = "NOSCRIPT No matching script. Please use EVAL."

// findScript finds a script by its SHA-1, shaLen digits in lower case.
func (s *Scripts) findScript(tx *keyspace.Txn, sha string) (*script.Program, error) {
	id, key := storedScriptOf(tx, sha)
	_, stored := s.stored.get(id)
	if p, ok := s.programs.get(sha); ok && stored {
		return p, nil
	}
	as, err := s.store.Get(tx.Context(), key)
	switch {
	case err != nil:
		tx.Fail(fmt.Errorf("reading a script: %w", err))
		return nil, tx.Err()
	case as == nil:
		return nil, errNoScript
	}
	s.stored.put(id, struct{}{}, 1)
	return s.program(sha, as.Get(keyspace.AttrValue).Str())
}

// haveScripts reports which scripts there are.
func (s *Scripts) haveScripts(tx *keyspace.Txn, shas []string) []bool {
	out := make([]bool, len(shas))
	var ask []store.Key
	var which []int
	for i, sha := range shas {
		if len(sha) != shaLen {
			continue
		}
		id, key := storedScriptOf(tx, sha)
		if _, out[i] = s.stored.get(id); !out[i] {
			ask, which = append(ask, key), append(which, i)
		}
	}
	if len(ask) == 0 {
		return out
	}
	items, err := s.store.GetMany(tx.Context(), ask, false)
	if err != nil {
		tx.Fail(fmt.Errorf("reading %d scripts: %w", len(ask), err))
		return out
	}
	for i, as := range items {
		out[which[i]] = as != nil
	}
	return out
}
