package redis

// PUBLISH, PUBSUB CHANNELS, NUMSUB, NUMPAT, SHARDCHANNELS, SHARDNUMSUB, HELP. Receiving is
// not a command, see Engine.Subscribe. There are no shard channels.

func (e *Engine) pubsubCommands() []*command {
	const group = "pubsub"
	return []*command{
		{name: "publish", arity: 3, flags: fast | publishes, group: group, since: "2.0.0", summary: "Sends a message to a channel.", run: e.publish},
		{name: "pubsub", arity: -2, group: group, since: "2.8.0", summary: "Tells about subscriptions.", subs: subcommands(
			&command{name: "channels", arity: -2, group: group, since: "2.8.0", summary: "Returns the channels that have subscribers.", run: e.pubsubChannels},
			&command{name: "numsub", arity: -2, group: group, since: "2.8.0", summary: "Returns the numbers of subscribers of channels.", run: e.pubsubNumsub},
			&command{name: "numpat", arity: 2, group: group, since: "2.8.0", summary: "Returns the number of patterns that have subscribers.", run: e.pubsubNumpat},
			&command{name: "shardchannels", arity: -2, group: group, since: "7.0.0", summary: "Returns nothing: there are no shard channels.", run: pubsubShardChannels},
			&command{name: "shardnumsub", arity: -2, group: group, since: "7.0.0", summary: "Returns zeros: there are no shard channels.", run: pubsubShardNumsub},
			helpCommand(group, "6.2.0",
				"CHANNELS [<pattern>]", "    Channels that have subscribers, or those of them that match a pattern.",
				"NUMPAT", "    Number of patterns that have subscribers.",
				"NUMSUB [<channel> ...]", "    Numbers of subscribers of channels, those by patterns apart.",
				"SHARDCHANNELS [<pattern>]", "    None.",
				"SHARDNUMSUB [<shardchannel> ...]", "    Zeros."),
		)},
	}
}

// PUBLISH channel message
//
// The reply is the number of subscriptions that the message reaches, on all instances.
func (e *Engine) publish(c *call) error {
	n, err := e.send(c.tx, c.args[1], c.args[2])
	if err != nil {
		return err
	}
	c.w.Int(n)
	return nil
}

// PUBSUB CHANNELS [pattern]
//
// Channels that the caller may not hear are left out.
func (e *Engine) pubsubChannels(c *call) error {
	pattern := ""
	switch len(c.args) {
	case 2:
	case 3:
		pattern = c.args[2]
	default:
		return errSubArgs(c.args[0], c.args[1])
	}
	match := func(channel string) bool {
		return (len(c.args) == 2 || c.tx.matches(pattern, channel)) && c.access.mayHear(channel)
	}
	names, err := e.subscribedChannels(c.tx.Context(), c.tx.Database().ID, c.tx.Now(), match)
	if err != nil {
		return err
	}
	c.w.Strings(names)
	return nil
}

// PUBSUB NUMSUB [channel [channel ...]]
func (e *Engine) pubsubNumsub(c *call) error {
	channels := c.args[2:]
	if c.tx.Spend(keyWork * int64(len(channels))); c.tx.Err() != nil {
		return c.tx.Err()
	}
	counts, err := e.subscriberCounts(c.tx.Context(), c.tx.Database().ID, channels, c.tx.Now())
	if err != nil {
		return err
	}
	c.w.Array(2 * len(channels))
	for i, channel := range channels {
		c.w.Bulk(channel)
		c.w.Int(counts[i])
	}
	return nil
}

// PUBSUB NUMPAT
func (e *Engine) pubsubNumpat(c *call) error {
	n, err := e.patternCount(c.tx.Context(), c.tx.Database().ID, c.tx.Now())
	if err != nil {
		return err
	}
	c.w.Int(int64(n))
	return nil
}

// PUBSUB SHARDCHANNELS [pattern]
func pubsubShardChannels(c *call) error {
	if len(c.args) > 3 {
		return errSubArgs(c.args[0], c.args[1])
	}
	c.w.Array(0)
	return nil
}

// PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]
func pubsubShardNumsub(c *call) error {
	c.w.Array(2 * (len(c.args) - 2))
	for _, channel := range c.args[2:] {
		c.w.Bulk(channel)
		c.w.Int(0)
	}
	return nil
}
