package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/store"
)

const (
	// foldEvery is how long usage stays in memory: what an end by force takes with it.
	foldEvery = time.Second
	// measureEvery is how often it is looked whether storage is to be measured.
	measureEvery = 20 * time.Second
	// lastFold bounds the last fold, at the end.
	lastFold = 5 * time.Second
)

// usage counts what resources use, in the control plane's store.
type usage struct {
	store   store.Store
	live    *meter.Live // is told of all requests, and tells sums
	sums    *meter.Accumulator
	limiter *meter.Limiter // nil until the control plane is open, as is the sizer
	sizer   *meter.Sizer
}

// openUsage opens the control plane's store, before there is anything to count.
func (m *Main) openUsage(ctx context.Context) (err error) {
	u := &usage{}
	if m.flags.ephemeral {
		// Without a folder there is no signing key that would outlive the process either.
		u.store, err = m.openEmbedded(controlDir)
	} else {
		u.store, _, err = m.openStore(ctx, controlDir, m.flags.controlTable)
	}
	if err != nil {
		return err
	}
	u.sums = meter.NewAccumulator(meter.NewFolder(meter.FolderConfig{Store: u.store, Logger: m.log}))
	u.live = meter.NewLive(u.sums, m.Now)
	m.usage = u
	return nil
}

// openLimiter makes resources keep to their limits. All products must be open.
func (m *Main) openLimiter() {
	m.usage.limiter = meter.NewLimiter(meter.LimiterConfig{
		Store:  m.usage.store,
		Limits: m.control.engine.Limits,
		Block: map[string]func(context.Context, string, meter.Block) error{
			"redis": m.redis.Block, "kafka": m.kafka.Block, "qstash": m.qstash.engine.Block,
		},
		Cost:   price.Cost,
		Logger: m.log,
	})
	m.usage.sizer = meter.NewSizer(meter.SizerConfig{
		Store: m.usage.store,
		Measure: map[string]func(context.Context, string) (meter.Storage, error){
			"redis": m.redis.Size, "kafka": m.kafka.Size, "qstash": m.qstash.engine.Size,
		},
		Every:  measureEvery,
		Now:    m.Now,
		Logger: m.log,
	})
}

// measure looks from time to time whether storage is to be measured. In AWS a schedule does this.
func (m *Main) measure(ctx context.Context) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		all, err := m.control.engine.Metered(ctx)
		if err == nil {
			err = m.usage.sizer.Check(ctx, all...)
		}
		if err != nil && ctx.Err() == nil {
			m.log.Warn("storage is not measured", "error", err)
		}
	}
}

// count folds what is used until the program ends.
func (m *Main) count(ctx context.Context) {
	m.usage.sums.Run(ctx, foldEvery, m.log, func(ctx context.Context, changed []meter.Resource) {
		if err := m.usage.limiter.Check(ctx, changed...); err != nil && ctx.Err() == nil {
			m.log.Warn("limits of usage are not up to date", "error", err)
		}
	})
}

// close folds what is left, and closes the store.
func (u *usage) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastFold)
	defer cancel()
	_, err := u.sums.Flush(ctx)
	if err != nil {
		err = fmt.Errorf("recording the last usage: %w", err)
	}
	return errors.Join(err, u.store.Close())
}
