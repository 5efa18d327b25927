package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/redis/acl"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/duties"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/pubsub"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/redis/scripts"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/revoked"
	"github.com/skystash/skystash/pkg/turns"
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

	// Neighbours are other processes that serve the same databases and can be told at once of what is written; nil: there
	// are none. Blocked commands do not depend on them.
	Neighbours Neighbours

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

// maxDatabases is how many records an Engine remembers.
const maxDatabases = 10_000

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
	scripts  *scripts.Scripts
	waiters  waiters
	lookouts lookouts
	others   Neighbours
	duties   *duties.Duties
	pubsub   *pubsub.Broker

	databases *fresh.Cache[string, *Database] // records
	users     *acl.Users
	revoked   *revoked.Book
}

// New makes an engine.
func New(cfg Config) *Engine {
	e := &Engine{
		store:     cfg.Store,
		now:       cfg.Now,
		log:       cfg.Logger,
		others:    cfg.Neighbours,
		recordTTL: cfg.RecordTTL,
		retry:     cfg.Retry,
		maxBlock:  cfg.MaxBlock,
		maxReply:  cfg.MaxReplyBytes,
		budget:    cfg.Budget.OrDefaults(),
		locks:     store.NewLocks(),
		duties:    duties.New(),
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
	e.scripts = scripts.New(scripts.Config{
		Store: e.store, Now: e.now, Log: e.log, Retry: e.retry, Locks: e.locks, Records: records{e}, Limits: cfg.Scripts,
	})
	e.pubsub = pubsub.New(pubsub.Config{Store: e.store, Now: e.now, Log: e.log, Retry: e.retry, Duties: e.duties, Alone: e.recordTTL == 0, Expire: e.expire})
	e.commands = command.NewTable(e.databaseCommands(), e.pubsub.Commands(), e.scripts.Commands())
	e.users = acl.New(acl.Config{Store: e.store, Now: e.now, Retry: e.retry, Locks: e.locks, Commands: e.commands, MaxAge: e.recordTTL})
	e.commands.Add(e.users.Commands())
	e.host = &command.Host{Commands: e.commands, Now: e.now, Started: e.started, Random: e.random, MaxReply: e.maxReply, SetEvents: e.setEvents, Awaited: e.waiters.countKeys}
	e.keys = keyspace.New(keyspace.Config{
		Store: e.store, Now: e.now, Log: e.log, Retry: e.retry, Random: e.random, Budget: e.budget,
		Written: e.written, Tell: e.tell, Clear: e.clearDatabase,
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
	work   int64               // that finding out has taken
}

// bind finds a command and what the caller may do with it. With an error, all but work is zero.
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
	work, err := a.Allow(cmd, args, keys)
	if err != nil {
		return bound{work: work}, err
	}
	return bound{cmd: cmd, args: args, keys: keys, access: a, work: work}, nil
}

// Queue is where requests take turns that work for long. A process with other products lets their requests take turns there, too.
func (e *Engine) Queue() *turns.Queue { return e.turns }

// WithTurn returns a context under which all that the engine does for a request is one piece of work, together with
// what the caller spends on the request. The caller ends the Turn at last. A call without one has its own.
func (e *Engine) WithTurn(ctx context.Context, db *Database) (context.Context, *Turn) {
	ctx, turn := e.turns.Request(ctx, cmp.Or(db.Account, db.ID), db.ID, e.budget.Memory)
	turn.TooMuch = keyspace.ErrMemory
	return ctx, turn
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
	if spent := turn.Spend(ctx, b.work); spent != nil {
		return spent
	}
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
	if b.cmd.Direct != nil && len(b.args) > 1 && db.Events == 0 { // a blind write tells of no events
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
	d := command.Direct{Blind: e.keys.Blind(db, b.args[1]), Command: b.cmd, Args: b.args, W: w}
	if b.budget != nil {
		defer func() { b.budget.Use(d.Work()) }()
	}
	p := b.cmd.Direct(&d)
	if p == nil {
		return next, false, nil
	}
	if next, done, err = e.keys.WriteBlindly(ctx, db, d.Blind, p); err != nil {
		err = fmt.Errorf("%s: %w", d.Command.Name, err)
	}
	return next, done, err
}

// runOutside carries out a command that changes the database as a whole.
func (e *Engine) runOutside(ctx context.Context, db *Database, b bound, w *resp.Writer) error {
	mark := w.Len()
	err := b.cmd.Outside(&command.Outside{Context: ctx, Database: db.ID, Args: b.args, W: w, Host: e.host})
	var refused Error
	if errors.As(err, &refused) {
		w.Truncate(mark)
		w.Error(refused.Error())
		return nil
	}
	return err
}

// Close ends what waits: blocking commands return as if their time were over, and subscriptions
// end with ErrClosed. When Close returns, all goroutines of the engine have ended. Other commands can
// still be carried out, so a server may close its engine first and then let its last requests finish.
func (e *Engine) Close() { e.duties.Close() }

// FailureText is what a client may read of a failure of ours.
func FailureText(err error) string {
	var refused Error
	switch {
	case errors.As(err, &refused):
		return refused.Error()
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

// FailureLevel is how much a failure of ours is worth in the log: that a client has gone meanwhile is nobody's fault.
func FailureLevel(err error) slog.Level {
	if errors.Is(err, context.Canceled) {
		return slog.LevelInfo
	}
	return slog.LevelError
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
