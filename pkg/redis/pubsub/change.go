package pubsub

import (
	"context"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// maxNames bounds the channels and patterns of a subscription that grows.
const maxNames = 10_000

// Add makes the subscription one of further channels and patterns: all that is published on them after Add has returned
// arrives. An Error is returned if the caller may not, or if they become too many. If it fails, the subscription is
// what it was. Calls of Add and Remove do not overlap.
func (s *Subscription) Add(ctx context.Context, db *keyspace.Database, a command.Access, channels, patterns []string) error {
	if err := a.CheckSubscribe(channels, patterns); err != nil {
		return err
	}
	return s.add(ctx, db, channels, patterns)
}

// add is Add for who may.
func (s *Subscription) add(ctx context.Context, db *keyspace.Database, channels, patterns []string) error {
	for _, name := range slices.Concat(channels, patterns) {
		if len(name) > keyspace.MaxKeySize {
			return keyspace.ErrKeySize(len(name))
		}
	}
	s.mu.Lock()
	channels = slices.DeleteFunc(slices.Clone(command.Distinct(channels)), func(c string) bool { return s.only[c] })
	patterns = slices.DeleteFunc(slices.Clone(command.Distinct(patterns)), func(p string) bool { return slices.Contains(s.patterns, p) })
	n := len(s.channels) + len(s.patterns) + len(channels) + len(patterns)
	s.mu.Unlock()
	if n > maxNames {
		return resp.Error(fmt.Sprintf("ERR too many channels: %d, at most %d", n, maxNames))
	}
	if len(channels)+len(patterns) == 0 {
		return nil
	}
	err := s.hub.register.add(ctx, channels, patterns, 1)
	if err == nil {
		logs := logsFor(db, channels, patterns)
		for _, t := range s.joined() {
			delete(logs, t.log)
		}
		err = s.join(ctx, logs)
	}
	if err != nil {
		s.unregister(channels, patterns)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels, s.patterns = slices.Concat(s.channels, channels), slices.Concat(s.patterns, patterns)
	for _, c := range channels {
		s.only[c] = true
	}
	return nil
}

// Remove ends the subscription to channels and patterns: publishers do not count them any more once it has returned.
func (s *Subscription) Remove(db *keyspace.Database, channels, patterns []string) {
	s.mu.Lock()
	gone := map[string]bool{}
	channels = slices.DeleteFunc(slices.Clone(command.Distinct(channels)), func(c string) bool { return !s.only[c] })
	for _, c := range channels {
		gone[c] = true
		delete(s.only, c)
	}
	s.channels = slices.DeleteFunc(slices.Clone(s.channels), func(c string) bool { return gone[c] })
	patterns = slices.DeleteFunc(slices.Clone(command.Distinct(patterns)), func(p string) bool { return !slices.Contains(s.patterns, p) })
	s.patterns = slices.DeleteFunc(slices.Clone(s.patterns), func(p string) bool { return slices.Contains(patterns, p) })
	needed := logsFor(db, s.channels, s.patterns)
	var idle, kept []*tail
	for _, t := range s.tails {
		if needed[t.log] {
			kept = append(kept, t)
		} else {
			idle = append(idle, t)
		}
	}
	s.tails = kept
	s.mu.Unlock()
	for _, t := range idle {
		t.leave(s)
	}
	if len(channels)+len(patterns) > 0 {
		s.unregister(channels, patterns)
	}
}

// logsFor are the logs that have the messages of channels and patterns.
func logsFor(db *keyspace.Database, channels, patterns []string) map[messageLog]bool {
	logs := map[messageLog]bool{}
	for _, c := range channels {
		logs[logOf(db, c)] = true
	}
	if len(patterns) > 0 {
		for i := range logsOf(db) {
			logs[messageLog{db.ID, uint16(i)}] = true
		}
	}
	return logs
}

// unregister takes names out of the registry.
func (s *Subscription) unregister(channels, patterns []string) {
	// Whoever ends them may have no time left.
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.hub.register.add(ctx, channels, patterns, -1); err != nil {
		s.hub.broker.log.WarnContext(ctx, "unregistering a subscription", "error", err)
	}
}

// joined are the logs that the subscription follows.
func (s *Subscription) joined() []*tail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tails)
}
