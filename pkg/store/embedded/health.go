package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/skystash/skystash/pkg/store"
)

// health is what the store knows about its disk.
type health struct {
	log    *slog.Logger
	failed chan struct{} // closed by the first final failure
	once   sync.Once
	cause  error        // of the failure; set before failed is closed
	full   atomic.Int32 // writers that wait for room on the disk
	stuck  atomic.Bool  // the engine cannot move its memory to the disk and tries again
}

func newHealth(log *slog.Logger) *health {
	return &health{log: log, failed: make(chan struct{})}
}

// fail makes every later call on the store fail.
func (h *health) fail(cause error) {
	h.once.Do(func() {
		h.log.Error("the store has failed and needs a restart", "error", cause)
		h.cause = cause
		close(h.failed)
	})
}

// failure is the error of a failed store, nil while it works.
func (h *health) failure() error {
	select {
	case <-h.failed:
		return fmt.Errorf("the store has failed and needs a restart: %w", h.cause)
	default:
		return nil
	}
}

var (
	errDiskFull  = errors.New("the disk is full")
	errDiskStuck = errors.New("the disk does not take the data")
)

// writable is nil if writes can be carried out.
func (h *health) writable() error {
	if h.full.Load() > 0 {
		return errDiskFull
	}
	if h.stuck.Load() {
		return errDiskStuck
	}
	return h.failure()
}

// unavailable says what could not be done because of the disk.
func unavailable(what string, err error) error {
	return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrUnavailable, err)
}

// unknown says which write may or may not have been kept.
func unknown(what string, err error) error {
	return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrUnknownOutcome, err)
}

// engineLogger hands on the engine's complaints; its chatter is dropped.
type engineLogger struct{ health *health }

var _ pebble.Logger = engineLogger{}

func (l engineLogger) Infof(string, ...any) {}

func (l engineLogger) Errorf(format string, args ...any) {
	l.health.log.Warn("storage engine: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return, and the engine may hold its locks here: the caller
// stays parked, while the store answers everybody else that it has failed.
func (l engineLogger) Fatalf(format string, args ...any) {
	l.health.fail(fmt.Errorf(format, args...))
	select {}
}

// listen makes the events of the engine that matter reach health and log.
func (h *health) listen() *pebble.EventListener {
	// A flush that had nothing to write ends with an error, too, but only that of
	// a failed one is then reported as a background error.
	var mu sync.Mutex
	var flush error // of the last flush
	return &pebble.EventListener{
		FlushEnd: func(info pebble.FlushInfo) {
			mu.Lock()
			defer mu.Unlock()
			flush = info.Err
			h.stuck.Store(false)
		},
		BackgroundError: func(err error) {
			h.log.Warn("storage engine: background work failed and will be repeated", "error", err)
			mu.Lock()
			defer mu.Unlock()
			if flush != nil && errors.Is(err, flush) {
				h.stuck.Store(true)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			h.log.Error("storage engine: a file is corrupt", "file", info.Path, "error", info.Details)
		},
		LowDiskSpace: func(info pebble.LowDiskSpaceInfo) {
			h.log.Warn("the disk is nearly full", "free_bytes", info.AvailBytes, "total_bytes", info.TotalBytes)
		},
	}
}
