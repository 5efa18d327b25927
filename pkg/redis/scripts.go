package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store"
)

// Scripts and function libraries belong to a database. They are kept in
// generations, like the elements of a collection: SCRIPT FLUSH, and every change of the
// libraries, goes on to the next one, and the old one is reclaimed. The generations in force are in the
// database's record, so that what all instances know of it tells them which scripts
// there are: a script that an instance has once seen in a generation needs no read any more.
//
//	script     'e' db 's' generation      0x07 SHA-1        v (the source)
//	library    'e' db 'l' generation      0x08 name         v (the source)

const (
	elemScript  = "\x07"
	elemLibrary = "\x08"
)

// scriptGen and libraryGen name generations of items.
func scriptGen(n int64) string  { return "s" + keyspace.PutUint64(uint64(n)) }
func libraryGen(n int64) string { return "l" + keyspace.PutUint64(uint64(n)) }

// advance replaces a generation of scripts or libraries by the next one. attr is the attribute of
// the database's record that counts these generations, old is the name of the generation that
// becomes garbage, and ops are writes that belong to the same commit. advance returns when all
// instances use the new generation. It fails with store.ErrConflict if somebody else advanced the
// record after d was read.
func (e *Engine) advance(ctx context.Context, d *Database, attr string, g keyspace.Generation, old string, ops []store.Op) error {
	at := e.whenAllKnow(e.nowMs())
	var is store.Cond = store.Eq(attr, store.Int(g.N))
	if g.N == 0 {
		is = store.Absent(attr)
	}
	ops = append(ops,
		store.Update(keyspace.RecordKey(d.ID), store.And{store.Exists(keyspace.RecSlots), is},
			store.Set(attr, store.Int(g.N+1)), store.Set(attr+keyspace.RecAt, store.Int(at))),
		keyspace.ReclaimNote(at, old, d.ID, store.Key{}))
	if err := e.store.Commit(store.NoRepeat(ctx), ops); err != nil {
		if _, changed := keyspace.IsConditionError(err); changed {
			err = store.ErrConflict
		} else {
			e.forget(d.ID) // for it may have changed
		}
		return fmt.Errorf("replacing %s of database %s: %w", attr, d.ID, err)
	}
	if _, err := e.readDatabase(ctx, d.ID); err != nil {
		return err
	}
	return e.waitUntil(ctx, at)
}

// awaitChange reads the record of a database. If a change of scripts or libraries is under way, it
// first waits until that change is in force on every instance.
func (e *Engine) awaitChange(ctx context.Context, id string, of func(*Database) keyspace.Generation) (*Database, error) {
	for {
		d, err := e.readDatabase(ctx, id)
		if err != nil || e.nowMs() >= of(d).At {
			return d, err
		}
		if err := e.waitUntil(ctx, of(d).At); err != nil {
			return nil, err
		}
	}
}

// flushScripts forgets all scripts of a database.
func (e *Engine) flushScripts(ctx context.Context, id string) error {
	d, err := e.awaitChange(ctx, id, func(d *Database) keyspace.Generation { return d.Scripts })
	if err != nil {
		return err
	}
	err = e.advance(ctx, d, keyspace.RecScripts, d.Scripts, scriptGen(d.Scripts.N), nil)
	if errors.Is(err, store.ErrConflict) {
		// Somebody else's flush, begun after ours, has emptied the generation for us as well.
		_, err = e.awaitChange(ctx, id, func(d *Database) keyspace.Generation { return d.Scripts })
	}
	return err
}

// luaHost is what an engine has for scripts.
type luaHost struct {
	interpreter *script.Interpreter
	programs    *lru[string, *script.Program] // by the SHA-1 of their sources, of any database
	stored      *lru[storedScript, struct{}]  // scripts known to be in the store
	libraries   *lru[librarySet, *libraries]
	changes     libraryQueue
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

func newLuaHost(limits script.Limits) *luaHost {
	return &luaHost{
		interpreter: script.New(limits),
		programs:    newLRU[string, *script.Program](programCache),
		stored:      newLRU[storedScript, struct{}](storedCache),
		libraries:   newLRU[librarySet, *libraries](programCache),
	}
}

const shaLen = 2 * sha1.Size // of a script's name, in hexadecimal

func shaOf(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// program compiles a source, unless it is known.
func (h *luaHost) program(sha, source string) (*script.Program, error) {
	if p, ok := h.programs.get(sha); ok {
		return p, nil
	}
	p, err := h.interpreter.Compile(source)
	if err != nil {
		return nil, luaError(err)
	}
	h.programs.put(sha, p, len(source)+1024)
	return p, nil
}

// luaError makes the script package's errors this one's.
func luaError(err error) error {
	var se script.Error
	if errors.As(err, &se) {
		return Error(se)
	}
	return err
}

func storedScriptOf(tx *keyspace.Txn, sha string) (storedScript, store.Key) {
	gen := tx.Database().Scripts.In(tx.Now())
	return storedScript{tx.Database().ID, gen, sha}, store.Key{Partition: keyspace.ElemPartition(tx.Database().ID, scriptGen(gen)), Sort: elemScript + sha}
}

// keepScript compiles a source and sees to it that the store has it.
func (e *Engine) keepScript(tx *keyspace.Txn, source string) (sha string, p *script.Program, err error) {
	sha = shaOf(source)
	h := e.lua
	if p, err = h.program(sha, source); err != nil {
		return "", nil, err
	}
	id, key := storedScriptOf(tx, sha)
	if _, ok := h.stored.get(id); ok {
		return sha, p, nil
	}
	old, err := e.store.Get(tx.Context(), key)
	if err == nil && old == nil {
		// The store may repeat this as it likes: it is always the same item.
		err = e.store.Load(tx.Context(), []store.Item{{Key: key, Attrs: store.Attrs{{Name: keyspace.AttrValue, Value: store.Bytes(source)}}}}, nil)
		if errors.Is(err, store.ErrUnknownOutcome) {
			err = fmt.Errorf("%w (%v)", store.ErrUnavailable, err)
		}
	}
	if err != nil {
		tx.Fail(fmt.Errorf("storing a script: %w", err))
		return "", nil, tx.Err()
	}
	h.stored.put(id, struct{}{}, 1)
	return sha, p, nil
}

const errNoScript Error = "NOSCRIPT No matching script. Please use EVAL."

// findScript finds a script by its SHA-1, shaLen digits in lower case.
func (e *Engine) findScript(tx *keyspace.Txn, sha string) (*script.Program, error) {
	h := e.lua
	id, key := storedScriptOf(tx, sha)
	_, stored := h.stored.get(id)
	if p, ok := h.programs.get(sha); ok && stored {
		return p, nil
	}
	as, err := e.store.Get(tx.Context(), key)
	switch {
	case err != nil:
		tx.Fail(fmt.Errorf("reading a script: %w", err))
		return nil, tx.Err()
	case as == nil:
		return nil, errNoScript
	}
	h.stored.put(id, struct{}{}, 1)
	return h.program(sha, as.Get(keyspace.AttrValue).Str())
}

// haveScripts reports which scripts there are.
func (e *Engine) haveScripts(tx *keyspace.Txn, shas []string) []bool {
	out := make([]bool, len(shas))
	var ask []store.Key
	var which []int
	for i, sha := range shas {
		if len(sha) != shaLen {
			continue
		}
		id, key := storedScriptOf(tx, sha)
		if _, out[i] = e.lua.stored.get(id); !out[i] {
			ask, which = append(ask, key), append(which, i)
		}
	}
	if len(ask) == 0 {
		return out
	}
	items, err := e.store.GetMany(tx.Context(), ask, false)
	if err != nil {
		tx.Fail(fmt.Errorf("reading %d scripts: %w", len(ask), err))
		return out
	}
	for i, as := range items {
		out[which[i]] = as != nil
	}
	return out
}
