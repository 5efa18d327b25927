package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// abandonAfter is by default how long after its context's end a write still waits for an
// fsync under way: an outcome that is known is worth a moment.
const abandonAfter = time.Second

// syncer makes writes durable. Writes are applied without an fsync and then
// wait here; one fsync of the log serves all that have gathered while the one
// before was running. Readers that met a write still waiting join them.
type syncer struct {
	db     *pebble.DB
	health *health
	none   bool          // there is no disk to wait for
	extra  time.Duration // how long to wait beyond the context's end
	wake   chan struct{} // holds a token if next is set
	stop   chan struct{}
	ended  chan struct{}

	// unsynced counts the writes of the whole store as stripe.unsynced does.
	unsynced atomic.Int64

	mu   sync.Mutex
	next *syncGroup // gathers until the running fsync ends; nil if nobody waits
}

// syncGroup are the calls that share an fsync.
type syncGroup struct {
	done chan struct{}
	err  error // set before done is closed
}

func startSyncer(db *pebble.DB, h *health, o Options) *syncer {
	s := &syncer{
		db: db, health: h, none: o.InMemory, extra: abandonAfter,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go s.run()
	return s
}

func (s *syncer) close() {
	close(s.stop)
	<-s.ended
}

// waits reports whether calls have to wait for the disk at all.
func (s *syncer) waits() bool { return !s.none }

// join enters the group whose fsync covers everything visible by now.
func (s *syncer) join() *syncGroup {
	if s.none {
		return nil
	}
	s.mu.Lock()
	g := s.next
	if g == nil {
		g = &syncGroup{done: make(chan struct{})}
		s.next = g
		s.wake <- struct{}{}
	}
	s.mu.Unlock()
	return g
}

// errAbandoned says that the group's fsync is still to come.
var errAbandoned = errors.New("the disk did not confirm it in time")

// await returns when everything that was visible when the group was joined is on disk.
func (s *syncer) await(ctx context.Context, g *syncGroup) error {
	if !s.waits() {
		return nil
	}
	select {
	case <-g.done:
		return g.err
	case <-s.health.failed:
		return s.health.failure()
	case <-ctx.Done():
	}
	patience := time.NewTimer(s.extra)
	defer patience.Stop()
	select {
	case <-g.done:
		return g.err
	case <-s.health.failed:
		return s.health.failure()
	case <-patience.C:
		return fmt.Errorf("%w: %w", errAbandoned, ctx.Err())
	}
}

// awaitEnd returns when the group's fsync has been made or never will be.
func (s *syncer) awaitEnd(g *syncGroup) {
	select {
	case <-g.done:
	case <-s.health.failed:
	}
}

func (s *syncer) run() {
	defer close(s.ended)
	for {
		select {
		case <-s.wake:
		case <-s.stop:
			return
		}
		s.mu.Lock()
		g := s.next
		s.next = nil
		s.mu.Unlock()
		g.err = s.sync()
		close(g.done)
	}
}

// sync fsyncs the log, by an empty record that asks for it.
func (s *syncer) sync() error {
	b := s.db.NewBatch()
	defer b.Close()
	err := b.LogData(nil, nil)
	if err == nil {
		err = s.db.ApplyNoSyncWait(b, pebble.Sync)
	}
	if err == nil {
		err = b.SyncWait()
	}
	if err != nil {
		s.health.fail(fmt.Errorf("syncing the log: %w", err))
	}
	return s.health.failure()
}
