package kafka

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/readahead"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Defaults of Config.
const (
	DefaultProduceDeadline = 10 * time.Second
	DefaultClockMargin     = 5 * time.Second
	DefaultCompactKeys     = 1_000_000
)

// Config is what an Engine is made of.
type Config struct {
	Store  store.Store
	Stream ingest.Stream

	// Objects takes the data of segments of ObjectBytes and more. All engines over a store must have
	// it, or none. nil: all data is in the store.
	Objects objects.Store
	// ObjectBytes is the size from which on a segment goes into an object. 0: DefaultObjectBytes;
	// negative: no more do, and what there is is still read.
	ObjectBytes int

	// MergeBytes is the size of the objects that old small segments are merged into, where that pays. 0: DefaultMergeBytes;
	// negative: none are merged.
	MergeBytes int

	// RecordTTL is how old the records of clusters and topics may be that the engine
	// goes by. 0: they are read each time.
	RecordTTL time.Duration

	// ProduceDeadline is the time that a producer has, from before it reserves
	// offsets, until the stream has its batch. All engines over a store must agree.
	// 0: DefaultProduceDeadline.
	ProduceDeadline time.Duration
	// ClockMargin is how far the clocks of engines and the stream may be apart. 0: DefaultClockMargin.
	ClockMargin time.Duration

	// MaxWeight bounds what one message may weigh: what is heavier could be produced and never be read.
	// 0: no bound.
	MaxWeight int
	// Weigh says what a message takes of MaxBytes in an answer. nil: its bytes.
	Weigh func(*batch.Record) int

	// CompactKeys bounds the keys that one pass of compaction remembers, about 80 bytes each. A log with
	// more takes several passes. 0: DefaultCompactKeys.
	CompactKeys int

	// Retry is how long, and after which pauses, a call tries again that others were faster than.
	// Its clock is Now unless it has one. The zero value is the policy of package store.
	Retry store.Retry

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Engine serves clusters. It is safe for concurrent use; any number of engines may share a store and a
// stream. A process that goes on without its engine closes it.
type Engine struct {
	store           store.Store
	stream          ingest.Stream
	objects         objects.Store
	objectBytes     int
	mergeBytes      int
	mergePays       func(*head, *run, int64) bool // mergePaysOff, but in tests
	recordTTL       time.Duration
	produceDeadline time.Duration
	clockMargin     time.Duration
	weigh           func(*batch.Record) int
	maxWeight       int
	compactKeys     int
	retry           store.Retry
	locks           *store.Locks // by cluster
	now             func() time.Time
	log             *slog.Logger

	life  context.Context // done once the engine is closed
	close context.CancelFunc
	runs  runs

	records    *fresh.Cache[store.Key, store.Attrs] // of clusters and topics
	revoked    *revoked.Book
	notifier   notifier
	rooms      rooms
	id         string // of the process
	boundaries boundaries
	seenLogs   seenLogs
	gaps       gaps

	recent      *fresh.Cache[string, *head] // by log, see headsOfReaders
	producers   producers
	producerIDs producerIDs
}

// New makes an Engine.
func New(cfg Config) *Engine {
	e := &Engine{
		store: cfg.Store, stream: cfg.Stream, objects: cfg.Objects, objectBytes: cmp.Or(cfg.ObjectBytes, DefaultObjectBytes),
		mergeBytes: cmp.Or(cfg.MergeBytes, DefaultMergeBytes), mergePays: mergePaysOff,
		recordTTL:       cfg.RecordTTL,
		produceDeadline: cfg.ProduceDeadline, clockMargin: cfg.ClockMargin, weigh: cfg.Weigh, maxWeight: cfg.MaxWeight, compactKeys: cfg.CompactKeys, retry: cfg.Retry, locks: store.NewLocks(), now: cfg.Now, log: cfg.Logger,
	}
	e.life, e.close = context.WithCancel(context.Background())
	if e.produceDeadline == 0 {
		e.produceDeadline = DefaultProduceDeadline
	}
	if e.clockMargin == 0 {
		e.clockMargin = DefaultClockMargin
	}
	if e.compactKeys == 0 {
		e.compactKeys = DefaultCompactKeys
	}
	if e.weigh == nil {
		e.weigh = weigh
	}
	if e.now == nil {
		e.now = time.Now
	}
	e.retry = e.retry.WithClock(e.now)
	if e.log == nil {
		e.log = slog.Default()
	}
	e.revoked = revoked.NewBook(e.store, e.now, revokedKey)
	e.id = writeID()
	e.records = fresh.New[store.Key, store.Attrs](cfg.RecordTTL, maxRecords, e.now)
	e.recent = fresh.New[string, *head](headAge, maxRecords, e.now)
	return e
}

// Close ends what waits: Fetch and Consume return what there is, as if their time were over, and Run
// returns. When Close returns, Run has. Other calls are still served, so a server may close its engine
// first and then let its last requests finish.
func (e *Engine) Close() {
	e.close()
	e.runs.wait()
}

// runs counts the calls of Run.
type runs struct {
	mu     sync.Mutex // makes sure that none begins after wait
	closed bool
	calls  sync.WaitGroup
	count  atomic.Int64
}

// active reports whether there is one.
func (r *runs) active() bool { return r.count.Load() > 0 }

// begin reports whether another call may begin, which then has to call done.
func (r *runs) begin() (done func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false
	}
	r.calls.Add(1)
	r.count.Add(1)
	return func() {
		r.count.Add(-1)
		r.calls.Done()
	}, true
}

func (r *runs) wait() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.calls.Wait()
}

func (e *Engine) nowMs() int64 { return e.now().UnixMilli() }

// writeID names a write, so that whoever made it knows it again.
func writeID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return string(b[:])
}

// maxRecords bounds the records that an engine remembers.
const maxRecords = 10_000

// record reads a record that may be RecordTTL old; nil: there is none. That there is none is
// not remembered.
func (e *Engine) record(ctx context.Context, key store.Key) (store.Attrs, error) {
	if attrs, ok := e.records.Get(key); ok {
		return attrs, nil
	}
	attrs, begun, err := readahead.Get(ctx, e.store, key, e.records.Begin())
	if err == nil && attrs != nil {
		e.records.Put(key, attrs, begun)
	}
	return attrs, err
}

// Ahead returns a context under which Cluster reads a cluster's record, if it is due, in one call
// with what else the request reads then (see package readahead).
func (e *Engine) Ahead(ctx context.Context, cluster string) context.Context {
	if _, ok := e.records.Get(clusterKey(cluster)); ok || !validID(cluster) {
		return ctx
	}
	ctx = readahead.With(ctx, e.store)
	readahead.Expect(ctx, clusterKey(cluster), e.records.Begin())
	return ctx
}

// notifier tells those who wait for messages of a log that there are some. It
// reaches only this process: others look from time to time.
type notifier struct {
	mu sync.Mutex
	m  map[string]map[chan struct{}]bool
}

// watch makes c receive when one of the logs grows, until stop is called.
func (n *notifier) watch(logs []string) (c chan struct{}, stop func()) {
	c = make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.m == nil {
		n.m = map[string]map[chan struct{}]bool{}
	}
	for _, l := range logs {
		if n.m[l] == nil {
			n.m[l] = map[chan struct{}]bool{}
		}
		n.m[l][c] = true
	}
	return c, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, l := range logs {
			if delete(n.m[l], c); len(n.m[l]) == 0 {
				delete(n.m, l)
			}
		}
	}
}

func (n *notifier) notify(log string) { n.notifyOthers(log, nil) }

// notifyOthers tells all who wait but one.
func (n *notifier) notifyOthers(log string, self chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.m[log] {
		if c == self {
			continue
		}
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// boundaries remembers for each log an offset that a segment begins at, the one
// where reading is likely to go on.
type boundaries struct {
	mu sync.Mutex
	m  map[string]int64
}

func (b *boundaries) set(log string, offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.m == nil || len(b.m) >= maxRecords {
		b.m = map[string]int64{}
	}
	b.m[log] = offset
}

// isOne reports whether a segment is known to begin at an offset.
func (b *boundaries) isOne(log string, offset int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.m[log]
	return ok && known == offset
}
