package pubsub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/duties"
	"github.com/skystash/skystash/pkg/store"
)

// Broker sends and receives the messages of channels, of all databases in a store. It is safe for concurrent use.
// Any number of brokers may share a store.
type Broker struct {
	store  store.Store
	now    func() time.Time
	log    *slog.Logger
	retry  store.Retry
	duties *duties.Duties
	alone  bool
	expire func(ctx context.Context, db string, fresh bool) error

	mu   sync.Mutex
	hubs map[string]*hub // by database
}

// Config is what a Broker is made of. All of it is needed.
type Config struct {
	Store store.Store
	Now   func() time.Time
	Log   *slog.Logger
	Retry store.Retry

	// Duties are those of the engine. When they are closed, subscriptions end with ErrClosed.
	Duties *duties.Duties
	// Alone says that this broker is the store's only user. Then nobody looks for messages of others.
	Alone bool
	// Expire deletes the keys of a database that have expired, if events tell of them. Unless it has to be fresh, the record that
	// says so may be an old one. It is called once a second while there are subscriptions that may hear of it.
	Expire func(ctx context.Context, db string, fresh bool) error
}

// New makes a Broker. It runs nothing while there is no subscription.
func New(cfg Config) *Broker {
	return &Broker{
		store: cfg.Store, now: cfg.Now, log: cfg.Log, retry: cfg.Retry, duties: cfg.Duties, alone: cfg.Alone, expire: cfg.Expire,
		hubs: map[string]*hub{},
	}
}

func (b *Broker) nowMs() int64 { return b.now().UnixMilli() }

// Errors of Subscription.Next.
var (
	// ErrClosed ends the subscriptions of an engine that is closed.
	ErrClosed = errors.New("redis: the engine is closed")
	// ErrLagged ends a subscription whose messages were deleted before it read them.
	ErrLagged = errors.New("redis: the subscriber is too slow: messages were lost")

	errClosedSubscription = errors.New("redis: the subscription is closed")
)
