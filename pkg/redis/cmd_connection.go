package redis

// PING, ECHO, SELECT; cmd_connection_client.go: CLIENT.

func connectionCommands() []*command {
	return []*command{
		{name: "ping", arity: -1, flags: fast, tips: "request_policy:all_shards response_policy:all_succeeded", group: "connection", since: "1.0.0", summary: "Returns PONG, or its argument.", run: ping},
		{name: "echo", arity: 2, flags: fast, group: "connection", since: "1.0.0", summary: "Returns its argument.", run: echo},
		{name: "select", arity: 2, flags: fast, group: "connection", since: "1.0.0", summary: "Selects a database, of which there is one, number 0.", run: selectDB},
		clientCommand(),
	}
}

// PING [message]
func ping(c *call) error {
	switch len(c.args) {
	case 1:
		c.w.Simple("PONG")
	case 2:
		c.w.Bulk(c.args[1])
	default:
		return errArity("ping")
	}
	return nil
}

// ECHO message
func echo(c *call) error {
	c.w.Bulk(c.args[1])
	return nil
}

// SELECT index
func selectDB(c *call) error {
	if err := c.onlyDB(1); err != nil {
		return err
	}
	c.w.OK()
	return nil
}
