package pubsub

import (
	"context"
	"strings"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// Shard channels are channels with names of their own. In Redis, a cluster keeps their messages on one shard. Here they are
// ordinary channels whose names have a prefix, and which patterns do not match.

// shardPrefix begins the name by which a shard channel is stored.
const shardPrefix = "\x00shard\x00"

// shardNames are the names by which shard channels are stored.
func shardNames(channels []string) []string {
	names := make([]string, len(channels))
	for i, c := range channels {
		names[i] = shardPrefix + c
	}
	return names
}

// isShard reports whether a stored name is a shard channel's.
func isShard(name string) bool { return strings.HasPrefix(name, shardPrefix) }

// AddShards is Add for shard channels.
func (s *Subscription) AddShards(ctx context.Context, db *keyspace.Database, a command.Access, channels []string) error {
	if err := a.CheckSubscribe(channels, nil); err != nil {
		return err
	}
	return s.add(ctx, db, shardNames(channels), nil)
}

// RemoveShards is Remove for shard channels.
func (s *Subscription) RemoveShards(db *keyspace.Database, channels []string) {
	s.Remove(db, shardNames(channels), nil)
}
