package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/turns"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Config is what an Engine is made of.
type Config struct {
	Store  store.Store
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default

	// RecordTTL is how long a database's record may be used before it is read
	// again. It must be the same on all instances that share the store, for
	// FLUSHDB and revocations rely on it. 0 says that this engine is the store's only user.
	RecordTTL time.Duration

	// Retry is how long, and after which pauses, a command tries again that others were faster than.
	// Its clock is Now unless it has one. The zero value is the policy of package store.
	Retry store.Retry

	// MaxBlock bounds how long a blocking command waits, whatever its timeout; 0: DefaultMaxBlock.
	MaxBlock time.Duration

	// MaxReplyBytes bounds a command's reply in bytes; 0: 10 MiB. Commands whose reply would
	// be larger stop with an error.
	MaxReplyBytes int

	// Random is where SPOP, RANDOMKEY and their like get their random numbers from. It is called
	// concurrently. nil: math/rand/v2.
	Random func() uint64

	// Region, if not nil, makes this an engine of a read region, far away from Store.
	Region *Region

	// Scripts bounds each run of a script or function, besides Budget.
	Scripts script.Limits

	// Budget bounds what one request may use.
	Budget Budget

	// Turns is how many requests may work at a time that have worked for about a millisecond. More of
	// them take turns, round robin over databases. 0: one less than GOMAXPROCS, but one at least. A store
	// far away, for which requests wait most of their time, asks for more.
	Turns int
}

// Limits of what an Engine remembers.
const (
	maxDatabases = 10_000
	maxUsers     = 4096
)

// Engine runs Redis commands over a store. It is safe for concurrent use, and any number of engines
// may share a store. A process that goes on without its engine closes it.
type Engine struct {
	store     store.Store
	region    *replicaReader // nil: this is the primary region
	now       func() time.Time
	log       *slog.Logger
	recordTTL time.Duration
	retry     store.Retry
	maxBlock  time.Duration
	maxReply  int
	budget    Budget
	turns     *turns.Queue
	started   time.Time
	random    *rand.Rand // safe for concurrent use, as its source is

	keys     *keyspace.Keyspace
	host     *command.Host
	commands command.Table
	locks    *store.Locks // of keys and what else is written as a whole, by database
	lua      *luaHost
	waiters  waiters
	lookouts lookouts
	duties   *duties

	hubsMu sync.Mutex
	hubs   map[string]*hub // by database

	databases *fresh.Cache[string, *Database] // records
	users     *fresh.Cache[userID, user]
	revoked   *revoked.Book
}

// New makes an engine.
func New(cfg Config) *Engine {
	e := &Engine{
		store:     cfg.Store,
		now:       cfg.Now,
		log:       cfg.Logger,
		recordTTL: cfg.RecordTTL,
		retry:     cfg.Retry,
		maxBlock:  cfg.MaxBlock,
		maxReply:  cfg.MaxReplyBytes,
		budget:    cfg.Budget.OrDefaults(),
		locks:     store.NewLocks(),
		duties:    newDuties(),
		lua:       newLuaHost(cfg.Scripts),
		hubs:      map[string]*hub{},
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	e.turns = turns.New(cmp.Or(cfg.Turns, max(runtime.GOMAXPROCS(0)-1, 1)), accountMemory*e.budget.Memory, e.now)
	ttl := e.recordTTL
	if ttl == 0 {
		ttl = fresh.Forever
	}
	e.databases = fresh.New[string, *Database](ttl, maxDatabases, e.now)
	e.users = fresh.New[userID, user](e.recordTTL, maxUsers, e.now)
	if r := cfg.Region; r != nil {
		e.region = &replicaReader{replica: r.Replica, marks: r.Marks}
		e.store = &primaryStore{Store: cfg.Store, region: e.region, now: e.now}
	}
	e.revoked = revoked.NewBook(e.store, e.now, revokedKey)
	e.retry = e.retry.WithClock(e.now)
	if e.maxBlock == 0 {
		e.maxBlock = DefaultMaxBlock
	}
	if e.maxReply == 0 {
		e.maxReply = 10 << 20
	}
	if cfg.Random == nil {
		cfg.Random = rand.Uint64
	}
	e.random = rand.New(randomSource(cfg.Random))
	e.started = e.now()
	e.commands = command.NewTable(e.databaseCommands(), e.pubsubCommands(), e.scriptCommands(), e.functionCommands(), e.aclCommands())
	e.host = &command.Host{Commands: e.commands, Now: e.now, Started: e.started, Random: e.random, MaxReply: e.maxReply}
	e.keys = keyspace.New(keyspace.Config{
		Store: e.store, Now: e.now, Log: e.log, Retry: e.retry, Random: e.random, Budget: e.budget,
		Written: e.waiters.written, Clear: e.clearDatabase,
	})
	return e
}

// randomSource makes a function a source of random numbers.
type randomSource func() uint64

func (s randomSource) Uint64() uint64 { return s() }

func (e *Engine) nowMs() int64 { return e.now().UnixMilli() }

// bound is a command with its arguments, for a caller who may run it.
type bound struct {
	cmd    *command.Command
	args   []string
	keys   []string // those among args
	access Access
	budget *keyspace.Allowance // of the pipeline that it is part of; nil: it has one of its own
}

func (e *Engine) bind(a Access, args []string) (bound, error) {
	if len(args) == 0 {
		return bound{}, Error("ERR empty command")
	}
	if len(args) > e.budget.Arguments {
		return bound{}, errTooManyArguments(e.budget.Arguments, len(args))
	}
	cmd, err := e.commands.Find(args)
	if err != nil || !cmd.Here() {
		return bound{}, e.unserved(args, err)
	}
	keys := cmd.KeysOf(args)
	if err := a.Allow(cmd, args, keys); err != nil {
		return bound{}, err
	}
	return bound{cmd: cmd, args: args, keys: keys, access: a}, nil
}

// WithTurn returns a context under which all that the engine does for a request is one piece of work, together with
// what the caller spends on the request. The caller ends the Turn at last. A call without one has its own.
func (e *Engine) WithTurn(ctx context.Context, db *Database) (context.Context, *Turn) {
	return e.turns.Request(ctx, cmp.Or(db.Account, db.ID), db.ID, e.budget.Memory)
}

// begin is WithTurn for a call that may be a part of a request that has a Turn. The call ends what it gets.
func (e *Engine) begin(ctx context.Context, db *Database) (_ context.Context, turn, own *Turn) {
	if t := turns.Of(ctx); t != nil {
		return ctx, t, nil
	}
	ctx, own = e.WithTurn(ctx, db)
	return ctx, own, own
}

// Do runs one command and appends its reply, which may be a Redis error. An
// error is returned if the command could not be carried out for reasons of
// ours; w is then as it was. If it is store.ErrUnknownOutcome, the command may have
// taken effect, otherwise it has not.
func (e *Engine) Do(ctx context.Context, db *Database, a Access, args []string, w *resp.Writer) error {
	ctx, turn, own := e.begin(ctx, db)
	defer own.End()
	if err := turn.Spend(ctx, keyspace.CommandWork+keyspace.ArgWork*int64(len(args))); err != nil {
		return err
	}
	b, err := e.bind(a, args)
	if err != nil {
		w.Error(err.Error())
		return nil
	}
	loaded := e.loaded(ctx, db, b)
	e.monitor(ctx, db, b)
	return e.run(ctx, db, b, loaded, w)
}

// run carries out one command by itself. loaded may hold heads that were just read.
func (e *Engine) run(ctx context.Context, db *Database, b bound, loaded keyspace.Heads, w *resp.Writer) error {
	if b.cmd.Outside != nil {
		turns.Of(ctx).Release()
		return e.runOutside(ctx, db, b, w)
	}
	if b.cmd.Has(command.Blocking) {
		return e.runBlocking(ctx, db, b, w)
	}
	if b.cmd.Direct != nil && len(b.args) > 1 {
		next, done, err := e.runDirect(ctx, db, b, w)
		if done || err != nil {
			return err
		}
		return e.transact(ctx, db, []bound{b}, transactMode{}, next, w)
	}
	return e.transact(ctx, db, []bound{b}, transactMode{}, keyspace.Handover{Loaded: loaded}, w)
}

// runDirect tries to carry out a command as one blind write. If it reports that this is not done,
// the command has to run as a transaction, with what next holds.
func (e *Engine) runDirect(ctx context.Context, db *Database, b bound, w *resp.Writer) (next keyspace.Handover, done bool, err error) {
	d := command.Direct{Blind: e.keys.Blind(db, b.args[1]), Command: b.cmd, Args: b.args}
	if b.budget != nil {
		defer func() { b.budget.Use(d.Work()) }()
	}
	p := b.cmd.Direct(&d)
	if p == nil {
		return next, false, nil
	}
	if next, done, err = e.keys.WriteBlindly(ctx, db, d.Blind, p, w); err != nil {
		err = fmt.Errorf("%s: %w", d.Command.Name, err)
	}
	return next, done, err
}

// runOutside carries out a command that changes the database as a whole.
func (e *Engine) runOutside(ctx context.Context, db *Database, b bound, w *resp.Writer) error {
	mark := w.Len()
	err := b.cmd.Outside(&command.Outside{Context: ctx, Database: db.ID, Args: b.args, W: w})
	var refused Error
	if errors.As(err, &refused) {
		w.Truncate(mark)
		w.Error(refused.Error())
		return nil
	}
	return err
}

// Pipeline runs commands one after the other, not atomically, and appends a
// reply for each. Neighbouring commands that only read share one round of reads. All
// members share one Budget.
func (e *Engine) Pipeline(ctx context.Context, db *Database, a Access, cmds [][]string, w *resp.Writer) {
	e.PipelineUpTo(ctx, db, a, cmds, 0, w)
}

// PipelineUpTo is Pipeline for a caller that sends replies while it goes on. It stops behind the command that has
// made the replies longer than upTo bytes (0: it never does), and returns how many commands it has carried out.
// The database is the one that the next commands are for, which a command may have flushed.
func (e *Engine) PipelineUpTo(ctx context.Context, db *Database, a Access, cmds [][]string, upTo int, w *resp.Writer) (done int, _ *Database) {
	if limit := e.budget.Commands; len(cmds) > limit {
		e.stopped(ctx, len(cmds), errTooManyCommands(limit, len(cmds)), w)
		return len(cmds), db
	}
	ctx, turn, own := e.begin(ctx, db)
	defer own.End()
	limits := keyspace.NewAllowance(e.budget, turn)
	first := w.Len()
	full := func() bool { return upTo > 0 && w.Len()-first > upTo }
	for i := 0; i < len(cmds); {
		if full() {
			return i, db
		}
		if err := limits.Member(ctx, w.Len()-first); err != nil {
			e.stopped(ctx, len(cmds)-i, err, w)
			return len(cmds), db
		}
		b, err := e.bind(a, cmds[i])
		if err != nil {
			w.Error(err.Error())
			i++
			continue
		}
		b.budget = &limits
		if !groupable(b.cmd) || i+1 == len(cmds) {
			loaded := e.loaded(ctx, db, b)
			e.monitor(ctx, db, b)
			e.pipelined(ctx, db, b, loaded, w)
			i++
			if b.cmd.Outside == nil {
				continue
			}
			// The record may be another one now. Without it, no command would know where its keys are.
			now, err := e.Database(ctx, db.ID)
			if err != nil {
				for range cmds[i:] {
					e.failed(ctx, b, err, w)
				}
				return len(cmds), db
			}
			db = now
			continue
		}
		group := []bound{b}
		keys := slices.Clip(b.keys)
		for i++; i < len(cmds); i++ {
			next, err := e.bind(a, cmds[i])
			if err != nil || !groupable(next.cmd) {
				break
			}
			next.budget = &limits
			more := next.keys
			if len(keys)+len(more) > store.MaxSnapshotItems {
				break
			}
			group = append(group, next)
			keys = append(keys, more...)
		}
		e.monitor(ctx, db, group...)
		loaded, err := e.loadGroup(ctx, db, group, keys)
		for j, b := range group {
			if err != nil {
				e.failed(ctx, b, err, w)
				continue
			}
			if j > 0 {
				if full() {
					return i - len(group) + j, db
				}
				if err := limits.Member(ctx, w.Len()-first); err != nil {
					e.stopped(ctx, len(cmds)-i+len(group)-j, err, w)
					return len(cmds), db
				}
			}
			e.pipelined(ctx, db, b, loaded, w)
		}
	}
	return len(cmds), db
}

// groupable commands only read keys that their arguments name.
func groupable(cmd *command.Command) bool {
	return cmd.Has(command.ReadOnly) && !cmd.Has(command.Write|command.Walks) && cmd.Keys != command.NoKeys
}

// loadGroup reads the heads of all keys of several reading commands.
func (e *Engine) loadGroup(ctx context.Context, db *Database, group []bound, keys []string) (keyspace.Heads, error) {
	known := e.loaded(ctx, db, group...)
	if len(group) == 1 {
		return known, nil
	}
	several := false // a command that reads several keys needs them as of one moment
	for _, b := range group {
		if len(b.keys) > 1 {
			several = true
		}
	}
	if several {
		known = nil
	}
	missing := keys
	if len(known) > 0 {
		missing = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { _, ok := known[k]; return ok })
	}
	if len(missing) == 0 {
		return known, nil
	}
	read, err := e.keys.Load(ctx, db.At(e.nowMs()), missing, several)
	if err != nil {
		return nil, err
	}
	maps.Copy(read, known)
	return read, nil
}

func (e *Engine) pipelined(ctx context.Context, db *Database, b bound, loaded keyspace.Heads, w *resp.Writer) {
	mark := w.Len()
	if err := e.run(ctx, db, b, loaded, w); err != nil {
		w.Truncate(mark)
		e.failed(ctx, b, err, w)
	}
}

// stopped answers the last n members of a pipeline, which are not carried out.
func (e *Engine) stopped(ctx context.Context, n int, err error, w *resp.Writer) {
	var refused Error
	text := Error(FailureText(err))
	if errors.As(err, &refused) {
		text = refused
	} else {
		e.log.ErrorContext(ctx, "pipeline stopped", "left", n, "error", err)
	}
	for range n {
		w.Error(text.Error())
	}
}

// failed reports a failure of ours in the place of a reply.
func (e *Engine) failed(ctx context.Context, b bound, err error, w *resp.Writer) {
	e.log.ErrorContext(ctx, "command failed", "command", b.cmd.Name, "error", err)
	w.Error(FailureText(err))
}

// FailureText is what a client may read of a failure of ours.
func FailureText(err error) string {
	switch {
	case errors.Is(err, ErrLagged):
		return "ERR the subscriber is too slow, messages were lost"
	case errors.Is(err, store.ErrUnknownOutcome):
		return "ERR the outcome of the command is unknown: it may have been carried out"
	case errors.Is(err, store.ErrThrottled):
		return "ERR the database is over its capacity, try again later"
	case errors.Is(err, store.ErrConflict):
		return "ERR too many concurrent writes of the same keys, try again"
	case errors.Is(err, store.ErrUnavailable):
		return "ERR the database is temporarily unavailable, try again later"
	case errors.Is(err, store.ErrTooLarge):
		return "ERR the value is too large to be stored"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "ERR the command did not finish in time"
	}
	return command.ErrInternal.Error()
}

// Multi runs commands as one transaction and appends a reply for each; Redis
// errors of single commands do not undo the others. An Error is returned if
// the transaction is refused as a whole; then nothing has changed.
func (e *Engine) Multi(ctx context.Context, db *Database, a Access, cmds [][]string, w *resp.Writer) error {
	return e.MultiIf(ctx, db, a, cmds, Watched{}, w)
}

// MultiIf is Multi on the condition that no key has changed that is watched. If one has, nothing is carried out, and the error is
// ErrWatched.
func (e *Engine) MultiIf(ctx context.Context, db *Database, a Access, cmds [][]string, watched Watched, w *resp.Writer) error {
	if limit := e.budget.Commands; len(cmds) > limit {
		return errTooManyCommands(limit, len(cmds))
	}
	ctx, turn, own := e.begin(ctx, db)
	defer own.End()
	work := int64(0)
	for _, args := range cmds {
		work += keyspace.CommandWork + keyspace.ArgWork*int64(len(args))
	}
	if err := turn.Spend(ctx, work); err != nil {
		return err
	}
	group := make([]bound, len(cmds))
	for i, args := range cmds {
		b, err := e.bind(a, args)
		if err != nil {
			return err
		}
		group[i] = b
	}
	if len(group) == 0 {
		return e.stillWatched(ctx, db, watched)
	}
	if err := tooManyWrites(group); err != nil {
		return err
	}
	e.monitor(ctx, db, group...)
	return e.transact(ctx, db, group, transactMode{multi: true, watched: watched}, keyspace.Handover{}, w)
}

// transactMode says how commands are run.
type transactMode struct {
	multi    bool // they belong together
	mayBlock bool // one that finds nothing may ask to be run again, with WouldBlock
	watched  Watched

	failed map[int]Error // scripts that are left out, by their places: they have failed after they wrote
}

// transact runs commands against one Txn until it commits.
func (e *Engine) transact(ctx context.Context, db *Database, group []bound, mode transactMode, known keyspace.Handover, w *resp.Writer) error {
	keys := slices.Clip(group[0].keys)
	writes, hints := false, false
	for i, b := range group {
		writes = writes || b.cmd.MayWrite()
		hints = hints || b.cmd.Has(command.Scripting)
		if i > 0 {
			keys = append(keys, b.keys...)
		}
	}
	if n := len(mode.watched.keys); n > 0 {
		keys = append(keys, mode.watched.keys...)
	}
	if hints && slices.Contains(keys, "") {
		// Rate limiters pass the empty string for a key that they do not have.
		keys = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == "" })
	}
	if writes {
		unlock, free := e.locks.TryLock(db.ID, keys...)
		if !free {
			turns.Of(ctx).Release()
			var err error
			if unlock, err = e.locks.Lock(ctx, db.ID, keys...); err != nil {
				return err
			}
		}
		defer unlock()
	}
	mark := w.Len()
	var attempts *store.Attempts // once one has failed
	for {
		w.Truncate(mark)
		tx := e.keys.Begin(ctx, db, keyspace.Mode{
			Write: writes, Whole: mode.multi, Divisible: !mode.multi && group[0].cmd.Has(command.Divisible), Hints: hints,
			Doubts: known.Doubts, Budget: group[0].budget,
		})
		err := e.runIn(tx, group, mode, keys, known.Loaded, w)
		tx.LetGo()
		known.Loaded = nil
		if d, lost := tx.Doubt(func() []byte { return slices.Clone(w.Buf[mark:]) }); lost {
			known.Doubts = append(known.Doubts, d)
		}
		if sf := (*scriptFailure)(nil); errors.As(err, &sf) {
			// Once more, without the script. What it has read still counts.
			if mode.failed == nil {
				mode.failed = map[int]Error{}
			}
			mode.failed[sf.member] = sf.text
			keys, known.Loaded = tx.Heads()
			continue
		}
		var refused Error
		if errors.As(err, &refused) && !mode.multi {
			w.Truncate(mark)
			w.Error(refused.Error())
			return nil
		}
		if err == nil {
			if attempts != nil {
				e.locks.Met(attempts.Failed(), db.ID, keys...)
			}
			return nil
		}
		w.Truncate(mark)
		inDoubt := len(known.Doubts) > 0
		again := errors.Is(err, store.ErrConflict) || inDoubt && keyspace.Passing(err)
		if again {
			if attempts == nil {
				attempts = e.retry.Begin()
				attempts.Expect(e.locks.Expected(db.ID, keys...))
			}
			turns.Of(ctx).Release()
			if err = attempts.Wait(ctx, err); err == nil {
				continue
			}
			err = fmt.Errorf("%s of %d keys: %w", group[0].cmd.Name, len(keys), err)
		}
		if inDoubt {
			// An earlier attempt may still arrive.
			return fmt.Errorf("%w (%v)", store.ErrUnknownOutcome, err)
		}
		return err
	}
}

// runIn runs the commands once, in a transaction. It returns store.ErrConflict if they have to
// run again, and an Error if they cannot be carried out as a whole. In both cases nothing has changed.
func (e *Engine) runIn(tx *keyspace.Txn, group []bound, mode transactMode, keys []string, loaded keyspace.Heads, w *resp.Writer) error {
	if err := tx.Start(keys, loaded); err != nil {
		return err
	}
	first := w.Len()
	if done, err := tx.ResolveDoubts(w); done {
		return err
	}
	if err := mode.watched.check(tx); err != nil {
		return err
	}
	for i, b := range group {
		if text, ok := mode.failed[i]; ok {
			w.Error(text.Error())
			continue
		}
		mark := w.Len()
		if limit := e.budget.Replies; int64(mark-first) > limit {
			return keyspace.ErrReplies(limit)
		}
		w.Limit(e.maxReply + replySlack)
		err := b.cmd.Run(&command.Call{Txn: tx, Command: b.cmd, Args: b.args, W: w, Host: e.host, Access: b.access, Multi: mode.multi, MayBlock: mode.mayBlock})
		w.Unlimit()
		tx.Spend(keyspace.CommandWork + int64(w.Len()-mark))
		if tx.Err() != nil {
			return tx.Err()
		}
		if err := tx.EndCommand(); err != nil {
			return err
		}
		if n := w.Len() - mark; err == nil && n > e.maxReply {
			// Unlike other errors, this one may come after the command has written.
			return command.ErrReplySize(e.maxReply, n)
		}
		if err == nil {
			continue
		}
		var redisErr Error
		if !errors.As(err, &redisErr) {
			if sf, ok := err.(*scriptFailure); ok {
				sf.member = i
			}
			return err
		}
		// A command that fails has changed nothing: handlers check before they write.
		w.Truncate(mark)
		w.Error(redisErr.Error())
	}
	return tx.Commit()
}

// replySlack is how many bytes more than it may have a reply that is being made takes.
const replySlack = 1 << 10

// tooManyWrites refuses a transaction that cannot be committed whatever it finds: one that sets more keys
// than a commit has items.
func tooManyWrites(group []bound) error {
	if len(group) <= store.MaxCommitOps {
		return nil
	}
	keys := map[string]bool{}
	for _, b := range group {
		if b.cmd.Name == "set" && len(b.args) == 3 {
			keys[b.args[1]] = true
		}
	}
	if len(keys) > store.MaxCommitOps {
		return keyspace.ErrTransactionSize(len(keys))
	}
	return nil
}

func errTooManyArguments(limit, actual int) Error {
	return Error(fmt.Sprintf("ERR max number of arguments exceeded. Limit: %d, Actual: %d", limit, actual))
}

func errTooManyCommands(limit, actual int) Error {
	return Error(fmt.Sprintf("ERR max number of commands exceeded. Limit: %d, Actual: %d", limit, actual))
}

// accountMemory is how much the requests of an account may hold before their turns go to the one that came first,
// as a multiple of Budget.Memory.
const accountMemory = 4
