package pubsub

import (
	"strings"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// PUBLISH, SPUBLISH, PUBSUB CHANNELS, NUMSUB, NUMPAT, SHARDCHANNELS, SHARDNUMSUB, HELP. Receiving is
// not a command, see Broker.Subscribe.

// Commands are the commands of Pub/Sub, for the table.
func (b *Broker) Commands() []*command.Command {
	const group = "pubsub"
	return []*command.Command{
		{Name: "publish", Arity: 3, Flags: command.Fast | command.Publishes, Group: group, Since: "2.0.0", Summary: "Sends a message to a channel.", Run: b.publish},
		{Name: "spublish", Arity: 3, Flags: command.Fast | command.Publishes, Group: group, Since: "7.0.0", Summary: "Sends a message to a shard channel.", Run: b.publish},
		{Name: "pubsub", Arity: -2, Group: group, Since: "2.8.0", Summary: "Tells about subscriptions.", Subcommands: command.Subcommands(
			&command.Command{Name: "channels", Arity: -2, Group: group, Since: "2.8.0", Summary: "Returns the channels that have subscribers.", Run: b.pubsubChannels},
			&command.Command{Name: "numsub", Arity: -2, Group: group, Since: "2.8.0", Summary: "Returns the numbers of subscribers of channels.", Run: b.pubsubNumsub},
			&command.Command{Name: "numpat", Arity: 2, Group: group, Since: "2.8.0", Summary: "Returns the number of patterns that have subscribers.", Run: b.pubsubNumpat},
			&command.Command{Name: "shardchannels", Arity: -2, Group: group, Since: "7.0.0", Summary: "Returns the shard channels that have subscribers.", Run: b.pubsubChannels},
			&command.Command{Name: "shardnumsub", Arity: -2, Group: group, Since: "7.0.0", Summary: "Returns the numbers of subscribers of shard channels.", Run: b.pubsubNumsub},
			command.Help(group, "6.2.0",
				"CHANNELS [<pattern>]", "    Channels that have subscribers, or those of them that match a pattern.",
				"NUMPAT", "    Number of patterns that have subscribers.",
				"NUMSUB [<channel> ...]", "    Numbers of subscribers of channels, those by patterns apart.",
				"SHARDCHANNELS [<pattern>]", "    Shard channels that have subscribers, or those of them that match a pattern.",
				"SHARDNUMSUB [<shardchannel> ...]", "    Numbers of subscribers of shard channels."),
		)},
	}
}

// PUBLISH channel message
// SPUBLISH shardchannel message
//
// The reply is the number of subscriptions that the message reaches, on all instances.
func (b *Broker) publish(c *command.Call) error {
	channel := c.Args[1]
	if c.Command.Name == "spublish" {
		channel = shardPrefix + channel
	}
	n, err := b.Publish(c.Txn, channel, c.Args[2])
	if err != nil {
		return err
	}
	c.W.Int(n)
	return nil
}

// PUBSUB CHANNELS [pattern]
// PUBSUB SHARDCHANNELS [pattern]
//
// Channels that the caller may not hear are left out.
func (b *Broker) pubsubChannels(c *command.Call) error {
	pattern := ""
	switch len(c.Args) {
	case 2:
	case 3:
		pattern = c.Args[2]
	default:
		return command.ErrSubArgs(c.Args[0], c.Args[1])
	}
	match := func(channel string) bool {
		if len(c.Args) > 2 && !c.Txn.Matches(pattern, channel) {
			return false
		}
		may, work := c.Access.MayHear(channel)
		return c.Txn.Spend(work) == nil && may
	}
	names, err := b.subscribedChannels(c.Txn.Context(), c.Txn.Database().ID, c.Txn.Now(), ofShards(c), match)
	if err != nil {
		return err
	}
	c.W.Strings(names)
	return nil
}

// PUBSUB NUMSUB [channel [channel ...]]
// PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]
func (b *Broker) pubsubNumsub(c *command.Call) error {
	channels := c.Args[2:]
	if c.Txn.Spend(keyspace.KeyWork * int64(len(channels))); c.Txn.Err() != nil {
		return c.Txn.Err()
	}
	named := channels
	if ofShards(c) {
		named = shardNames(channels)
	}
	counts, err := b.subscriberCounts(c.Txn.Context(), c.Txn.Database().ID, named, c.Txn.Now())
	if err != nil {
		return err
	}
	c.W.Array(2 * len(channels))
	for i, channel := range channels {
		c.W.Bulk(channel)
		c.W.Int(counts[i])
	}
	return nil
}

// PUBSUB NUMPAT
func (b *Broker) pubsubNumpat(c *command.Call) error {
	n, err := b.patternCount(c.Txn.Context(), c.Txn.Database().ID, c.Txn.Now())
	if err != nil {
		return err
	}
	c.W.Int(int64(n))
	return nil
}

// ofShards reports whether a subcommand of PUBSUB is about shard channels.
func ofShards(c *command.Call) bool { return strings.HasPrefix(c.Command.Name, "shard") }
