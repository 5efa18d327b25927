package pubsub

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// The registry of a database's subscriptions: who publishes has to count those
// of all instances. There is an item for each channel and one for all patterns.
// In it each instance has an attribute of its own, a list: until when it holds
// (8 bytes, Unix ms), then pairs of a name and the number of subscriptions (8
// bytes). An instance renews what it has before that time; what one that has
// died leaves behind counts no more after it.
const (
	registryChannel  = "\x01" // sort key: followed by the channel
	registryPatterns = "\x02"
	attrInstance     = "i" // prefix, followed by the instance
)

const (
	// registryLife is how long an entry holds, registryBeat how often it is renewed.
	registryLife = time.Minute
	registryBeat = 20 * time.Second
)

func registryPartition(db string) string { return "u" + db }

func channelKey(db, channel string) store.Key {
	return store.Key{Partition: registryPartition(db), Sort: registryChannel + keyspace.SortName(channel)}
}

func patternsKey(db string) store.Key {
	return store.Key{Partition: registryPartition(db), Sort: registryPatterns}
}

// registered adds up the subscriptions in an item of the registry: of each name, those of all
// instances whose entries hold.
func registered(item store.Attrs, nowMs int64) map[string]int64 {
	var counts map[string]int64
	for _, a := range item {
		list := a.Value.Elems()
		if a.Name[:1] != attrInstance || len(list) < 3 || int64(keyspace.GetUint64(list[0])) <= nowMs {
			continue
		}
		if counts == nil {
			counts = map[string]int64{}
		}
		for i := 1; i+1 < len(list); i += 2 {
			counts[list[i]] += int64(keyspace.GetUint64(list[i+1]))
		}
	}
	return counts
}

// receivers counts the subscriptions that a message on a channel reaches.
func (b *Broker) receivers(tx *keyspace.Txn, channel string) (int64, error) {
	db, nowMs := tx.Database().ID, tx.Now()
	items, err := b.store.GetMany(tx.Context(), []store.Key{channelKey(db, channel), patternsKey(db)}, false)
	if err != nil {
		return 0, fmt.Errorf("reading the subscriptions of a channel: %w", err)
	}
	n := registered(items[0], nowMs)[channel]
	for pattern, count := range registered(items[1], nowMs) {
		if !isShard(channel) && tx.Matches(pattern, channel) {
			n += count
		}
	}
	return n, tx.Err()
}

// registration is what one engine has registered in a database.
type registration struct {
	broker   *Broker
	db       string
	instance string        // of the engine, as an attribute's name
	writing  chan struct{} // holds a token: rounds are written one after the other

	mu       sync.Mutex
	next     *round // that is to be written; nil: nobody has asked for one
	channels map[string]int
	patterns map[string]int
	stopBeat context.CancelFunc // nil: nothing is registered
}

func newRegistration(b *Broker, db string) *registration {
	id := string(keyspace.NewWriteID(b.nowMs()))
	r := &registration{
		broker: b, db: db, instance: attrInstance + base64.RawURLEncoding.EncodeToString([]byte(id)),
		writing: make(chan struct{}, 1), channels: map[string]int{}, patterns: map[string]int{},
	}
	r.writing <- struct{}{}
	return r
}

// add counts subscriptions in, or out (delta -1). If it fails, they are counted, but the store
// may not know yet; what is counted out will have been forgotten after registryLife.
func (r *registration) add(ctx context.Context, channels, patterns []string, delta int) error {
	r.count(channels, patterns, delta)
	return r.write(ctx, channels, len(patterns) > 0)
}

func (r *registration) count(channels, patterns []string, delta int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range channels {
		if r.channels[c] += delta; r.channels[c] == 0 {
			delete(r.channels, c)
		}
	}
	for _, p := range patterns {
		if r.patterns[p] += delta; r.patterns[p] == 0 {
			delete(r.patterns, p)
		}
	}
	switch empty := len(r.channels)+len(r.patterns) == 0; {
	case empty && r.stopBeat != nil:
		r.stopBeat()
		r.stopBeat = nil
	case !empty && r.stopBeat == nil:
		beat, expiring := r.broker.duties.Run(r.beat), r.broker.duties.Run(r.expiring)
		r.stopBeat = func() {
			beat()
			expiring()
		}
	}
}

// beat renews what is registered, as long as there is anything.
func (r *registration) beat(ctx context.Context) {
	tick := time.NewTicker(registryBeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := r.renew(ctx); err != nil && ctx.Err() == nil {
				r.broker.log.Warn("renewing subscriptions", "error", err)
			}
		}
	}
}

// renew writes all entries anew.
func (r *registration) renew(ctx context.Context) error {
	r.mu.Lock()
	channels := slices.Collect(maps.Keys(r.channels))
	patterns := len(r.patterns) > 0
	r.mu.Unlock()
	return r.write(ctx, channels, patterns)
}

// round is what many ask for together to be written: when 10,000 subscriptions of a channel end at once, its entry is written a few
// times, not 10,000 times.
type round struct {
	channels map[string]error // what has come of each, once done is closed
	patterns bool
	failed   error // of the patterns
	done     chan struct{}
}

const (
	// roundTime bounds a round. What it has not written is written by the next beat, or forgotten after registryLife.
	roundTime = 10 * time.Second
	// roundWidth is how many entries are written at a time.
	roundWidth = 16
)

// write brings the store up to date about channels and, if asked to, all patterns. It does not wait longer than the context, but what
// it has asked for is written.
func (r *registration) write(ctx context.Context, channels []string, patterns bool) error {
	r.mu.Lock()
	own, first := r.next, false
	if own == nil {
		own, first = &round{channels: map[string]error{}, done: make(chan struct{})}, true
		r.next = own
	}
	for _, c := range channels {
		own.channels[c] = nil
	}
	own.patterns = own.patterns || patterns
	r.mu.Unlock()
	if first {
		r.writeRound(ctx, own)
	}
	select {
	case <-own.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	var errs []error
	for _, c := range channels {
		errs = append(errs, own.channels[c])
	}
	if patterns {
		errs = append(errs, own.failed)
	}
	return errors.Join(errs...)
}

// writeRound writes a round when those before it are written. Others wait for it, so the end of the caller's context does not end it.
func (r *registration) writeRound(ctx context.Context, own *round) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), roundTime)
	defer cancel()
	<-r.writing
	defer func() { r.writing <- struct{}{} }()
	r.mu.Lock()
	r.next = nil
	r.mu.Unlock()
	defer close(own.done)
	var writers sync.WaitGroup
	names := make(chan string)
	var failures sync.Mutex
	for range min(roundWidth, len(own.channels)-1) {
		writers.Go(func() {
			for c := range names {
				err := r.writeChannel(ctx, c)
				failures.Lock()
				own.channels[c] = err
				failures.Unlock()
			}
		})
	}
	all := slices.Collect(maps.Keys(own.channels))
	if len(all) == 1 {
		own.channels[all[0]] = r.writeChannel(ctx, all[0])
		all = nil
	}
	for _, c := range all {
		names <- c
	}
	close(names)
	writers.Wait()
	if own.patterns {
		r.mu.Lock()
		counts := maps.Clone(r.patterns)
		r.mu.Unlock()
		own.failed = r.writeEntry(ctx, patternsKey(r.db), counts)
	}
}

// writeChannel writes the entry of a channel as it is now.
func (r *registration) writeChannel(ctx context.Context, channel string) error {
	counts := map[string]int{}
	r.mu.Lock()
	if n := r.channels[channel]; n > 0 {
		counts[channel] = n
	}
	r.mu.Unlock()
	return r.writeEntry(ctx, channelKey(r.db, channel), counts)
}

// writeEntry replaces the engine's entry in an item. An item that nobody is left in is deleted.
func (r *registration) writeEntry(ctx context.Context, key store.Key, counts map[string]int) error {
	now := r.broker.nowMs()
	id := store.Bytes(string(keyspace.NewWriteID(now)))
	edits := []store.Edit{store.Set(keyspace.AttrWrite, id)}
	if len(counts) == 0 {
		edits = append(edits, store.Remove(r.instance))
	} else {
		until := now + registryLife.Milliseconds()
		entry := []string{keyspace.PutUint64(uint64(until))}
		for name, n := range counts {
			entry = append(entry, name, keyspace.PutUint64(uint64(n)))
		}
		edits = append(edits, store.Set(r.instance, store.List(entry)), store.Set(store.TTLAttr, store.Int(keyspace.ReclaimAt(until))))
	}
	old, err := r.broker.store.Apply(ctx, store.Update(key, nil, edits...))
	if err != nil {
		return fmt.Errorf("registering a subscription: %w", err)
	}
	var dead []store.Edit // the entries of engines that have died
	others := false
	for _, a := range old {
		switch list := a.Value.Elems(); {
		case a.Name[:1] != attrInstance || a.Name == r.instance:
		case len(list) == 0 || int64(keyspace.GetUint64(list[0])) < now-registryLife.Milliseconds():
			dead = append(dead, store.Remove(a.Name))
		default:
			others = true
		}
	}
	switch {
	case len(counts) == 0 && !others:
		_, err = r.broker.store.Apply(ctx, store.Delete(key, store.Eq(keyspace.AttrWrite, id)))
	case len(dead) > 0:
		_, err = r.broker.store.Apply(ctx, store.Update(key, store.Eq(keyspace.AttrWrite, id), dead...))
	}
	if _, changed := keyspace.IsConditionError(err); err != nil && !changed {
		r.broker.log.WarnContext(ctx, "tidying the register of subscriptions", "error", err)
	}
	return nil
}

// subscribedChannels lists the channels, or shard channels, with subscriptions, other than by patterns, in no order.
func (b *Broker) subscribedChannels(ctx context.Context, db string, nowMs int64, shards bool, match func(channel string) bool) ([]string, error) {
	q := store.Query{Partition: registryPartition(db), From: registryChannel, To: registryPatterns}
	var names []string
	for {
		page, err := b.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing the channels: %w", err)
		}
		for _, it := range page.Items {
			for channel := range registered(it.Attrs, nowMs) {
				if isShard(channel) != shards {
					continue
				}
				if channel = strings.TrimPrefix(channel, shardPrefix); match(channel) {
					names = append(names, channel)
				}
			}
		}
		if !page.More {
			return names, nil
		}
		q = q.Next(page)
	}
}

// subscriberCounts returns the number of subscriptions of each channel. Subscriptions to patterns
// are not counted.
func (b *Broker) subscriberCounts(ctx context.Context, db string, channels []string, nowMs int64) ([]int64, error) {
	keys := make([]store.Key, len(channels))
	for i, c := range channels {
		keys[i] = channelKey(db, c)
	}
	items, err := b.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("counting the subscriptions of channels: %w", err)
	}
	counts := make([]int64, len(channels))
	for i, c := range channels {
		counts[i] = registered(items[i], nowMs)[c]
	}
	return counts, nil
}

// patternCount returns the number of different patterns that somebody has subscribed to.
func (b *Broker) patternCount(ctx context.Context, db string, nowMs int64) (int, error) {
	item, err := b.store.Get(ctx, patternsKey(db))
	if err != nil {
		return 0, fmt.Errorf("counting the patterns: %w", err)
	}
	return len(registered(item, nowMs)), nil
}
