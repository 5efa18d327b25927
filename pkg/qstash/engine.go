package qstash

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/compress"
	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash/breaker"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Delivery is a request to be sent.
type Delivery struct {
	URL        string // exactly as published
	Method     string
	Header     Header
	Body       []byte
	Timeout    time.Duration
	SigningKey string // signs the request, see Account
	IssuedAt   time.Time
}

// Response is a destination's answer.
type Response struct {
	Status int
	Header Header
	Body   []byte
	Cut    bool // Body is only the beginning: the rest was not read
}

// Sender sends requests. It is safe for concurrent use.
type Sender interface {
	// Send returns the answer, whatever its status, or an error that says in
	// words for the publisher why there is none: a *NoAnswer if the destination is why.
	Send(ctx context.Context, d Delivery) (Response, error)
}

// Limits bound what an account may ask for. A zero field has the default below.
type Limits struct {
	MaxMessageBytes int           // bytes of a message
	Messages        int           // that one request, or one run of a schedule, makes, URL groups unfolded
	Hops            int           // deliveries to QStash itself on the way to a message, see Trail
	MaxDelay        time.Duration // of a message
	MaxTimeout      time.Duration // of one attempt
	Timeout         time.Duration // of an attempt of a message that says none; at most MaxTimeout
	MaxRetries      int
	Parallelism     int           // what clients are told; see GlobalParallelism
	LogsFor         time.Duration // how long finished messages and their events are kept
	DLQFor          time.Duration // how long failed messages are kept
	Queues          int
	Schedules       int
	Groups          int
	Endpoints       int // of a URL group
}

// Defaults of Limits.
const (
	DefaultMaxMessageBytes = 10 << 20
	DefaultMessages        = 1000
	DefaultHops            = 10
	DefaultMaxDelay        = 366 * 24 * time.Hour
	DefaultMaxTimeout      = 15 * time.Minute
	DefaultTimeout         = 15 * time.Minute
	DefaultMaxRetries      = 1000
	DefaultParallelism     = 1000
	DefaultLogsFor         = 3 * 24 * time.Hour
	DefaultDLQFor          = 7 * 24 * time.Hour
	DefaultQueues          = 1000
	DefaultSchedules       = 1000
	DefaultGroups          = 1000
	DefaultEndpoints       = 100
)

func (l *Limits) setDefaults() {
	l.MaxMessageBytes = cmp.Or(l.MaxMessageBytes, DefaultMaxMessageBytes)
	l.Messages = cmp.Or(l.Messages, DefaultMessages)
	l.Hops = cmp.Or(l.Hops, DefaultHops)
	l.MaxDelay = cmp.Or(l.MaxDelay, DefaultMaxDelay)
	l.MaxTimeout = cmp.Or(l.MaxTimeout, DefaultMaxTimeout)
	l.Timeout = min(cmp.Or(l.Timeout, DefaultTimeout), l.MaxTimeout)
	l.MaxRetries = cmp.Or(l.MaxRetries, DefaultMaxRetries)
	l.Parallelism = cmp.Or(l.Parallelism, DefaultParallelism)
	l.LogsFor = cmp.Or(l.LogsFor, DefaultLogsFor)
	l.DLQFor = cmp.Or(l.DLQFor, DefaultDLQFor)
	l.Queues = cmp.Or(l.Queues, DefaultQueues)
	l.Schedules = cmp.Or(l.Schedules, DefaultSchedules)
	l.Groups = cmp.Or(l.Groups, DefaultGroups)
	l.Endpoints = cmp.Or(l.Endpoints, DefaultEndpoints)
}

// DefaultRegion is the region that clients know signing keys for.
const DefaultRegion = "EU-CENTRAL-1"

// Config is what an Engine is made of.
type Config struct {
	Store  store.Store
	Sender Sender
	Waker  wake.Waker
	Limits Limits

	// Breaker says when attempts to a host are held that cannot be reached.
	Breaker breaker.Config

	// Processes is how many processes deliver at a time, ten wake-ups in each, if there is a bound. No
	// host, and no account, makes all of them wait then. 0: the waker sees to that.
	Processes int

	// Elsewhere says which attempts other processes make, because this one may not run that long. Zero: none.
	Elsewhere Elsewhere

	// Owner names this engine in its claims, see Starter. "": it gets a name that nobody else has.
	Owner string

	// Region is what destinations are told; "": DefaultRegion.
	Region string

	// Alone says that no other process works on the store. An attempt claimed by another process is
	// then taken over at once, because that process must have ended.
	Alone bool

	// RecordTTL is how old an account's record may get before it is read again. 0: if Alone, it is
	// never read again, otherwise each time.
	RecordTTL time.Duration

	Observe func(Attempt) // is told of each attempt when it has ended, and must not wait; nil: nobody is

	// TailHold is how long Tail waits for events. It bounds how long a token that was revoked goes on to
	// read. 0: it does not wait, which is for functions that are paid by the time.
	TailHold time.Duration

	Meter meter.Recorder // is told of each attempt to deliver; nil: nobody is

	Now    func() time.Time // nil: time.Now
	Retry  store.Retry      // what is done when others are faster; the zero value uses Now
	Random func([]byte)     // fills a slice; nil: crypto/rand
	Logger *slog.Logger     // nil: slog.Default
}

// Engine is the engine. It is safe for concurrent use.
type Engine struct {
	store  store.Store
	sender Sender
	waker  wake.Waker
	limits Limits
	region string
	alone  bool
	meter  meter.Recorder

	observer  func(Attempt)
	breaker   breaker.Config
	processes int
	elsewhere Elsewhere
	started   bool // it makes an attempt that another engine has handed over

	now    func() time.Time
	retry  store.Retry
	locks  *store.Locks // of items that callers of this engine change; see lock
	random func([]byte)
	log    *slog.Logger
	owner  string // of the leases that this engine holds
	codec  *compress.Codec

	revoked  *revoked.Book
	accounts *fresh.Cache[string, *Account] // records

	tailHold time.Duration
	tails    tails
	troubled *fresh.Cache[string, *hosts] // by account

	mu      sync.Mutex
	busy    map[string]bool // messages that this engine works on; true: it was woken for them again
	failing map[string]int  // failures in a row, by account and host
	slow    map[string]int  // attempts that take long, by account and host
}

// New makes an Engine.
func New(cfg Config) *Engine {
	e := &Engine{
		store:    cfg.Store,
		sender:   cfg.Sender,
		waker:    cfg.Waker,
		limits:   cfg.Limits,
		region:   cmp.Or(cfg.Region, DefaultRegion),
		alone:    cfg.Alone,
		meter:    cfg.Meter,
		tailHold: cfg.TailHold,
		now:      cfg.Now,
		retry:    cfg.Retry,
		locks:    store.NewLocks(),
		random:   cfg.Random,
		log:      cfg.Logger,
		busy:     map[string]bool{},

		observer:  cfg.Observe,
		breaker:   cfg.Breaker.WithDefaults(),
		processes: cfg.Processes,
		elsewhere: cfg.Elsewhere,
		started:   cfg.Owner != "",
		failing:   map[string]int{},
		slow:      map[string]int{},
	}
	e.limits.setDefaults()
	if e.now == nil {
		e.now = time.Now
	}
	e.retry = e.retry.WithClock(e.now)
	if e.random == nil {
		e.random = func(b []byte) { rand.Read(b) }
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	ttl := cfg.RecordTTL
	if ttl <= 0 && e.alone {
		ttl = fresh.Forever
	}
	e.revoked = revoked.NewBook(e.store, e.now, revokedKey)
	e.accounts = fresh.New[string, *Account](ttl, maxAccounts, e.now)
	e.troubled = fresh.New[string, *hosts](ttl, maxAccounts, e.now)
	if e.owner = cfg.Owner; e.owner == "" {
		e.owner = e.newID("")
	}
	e.codec = compress.New(maxBodyBytes)
	return e
}

// Limits are the engine's limits, defaults filled in.
func (e *Engine) Limits() Limits { return e.limits }

// lock lets the callers in this process who change one item go one after the other. Without
// it they would run into each other's conditions, and pay for each attempt. Other processes
// are held off by the conditions alone. What is locked must not lock again.
func (e *Engine) lock(ctx context.Context, kind, acct, name string) (unlock func(), err error) {
	unlock, err = e.locks.Lock(ctx, acct, part(kind, name))
	if err != nil {
		return nil, fmt.Errorf("waiting for others: %w: %w", store.ErrUnavailable, err)
	}
	return unlock, nil
}

// contend repeats attempt, as Config.Retry says, while other callers are faster. what and args
// begin the error's text: "changing queue %s".
func (e *Engine) contend(ctx context.Context, attempt func(context.Context) error, what string, args ...any) error {
	return e.contendAs(ctx, e.retry, attempt, what, args...)
}

// contendAs is contend with another policy.
func (e *Engine) contendAs(ctx context.Context, policy store.Retry, attempt func(context.Context) error, what string, args ...any) error {
	err := policy.Do(ctx, attempt)
	if refused := (*Error)(nil); err == nil || errors.As(err, &refused) || errors.Is(err, ErrNoAccount) {
		return err
	}
	return fmt.Errorf(what+": %w", append(args, err)...)
}

// wake hands on hints. They are stored as due entries too, so an error loses nothing
// but time.
func (e *Engine) wake(ctx context.Context, hints ...wake.Hint) {
	if len(hints) == 0 {
		return
	}
	if err := e.waker.Wake(ctx, hints...); err != nil {
		e.log.WarnContext(ctx, "a wake-up could not be arranged; the sweep will find what is due", "error", err)
	}
}

// hint is a wake-up at a time.
func hint(at time.Time, kind byte, acct, id string) wake.Hint {
	return wake.Hint{At: at, Key: hintKey(kind, acct, id), Account: acct}
}
