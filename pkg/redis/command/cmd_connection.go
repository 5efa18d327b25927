package command

// PING, ECHO, SELECT; cmd_connection_client.go: CLIENT.

func connectionCommands() []*Command {
	return []*Command{
		{Name: "ping", Arity: -1, Flags: Fast, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: "connection", Since: "1.0.0", Summary: "Returns PONG, or its argument.", Run: ping},
		{Name: "echo", Arity: 2, Flags: Fast, Group: "connection", Since: "1.0.0", Summary: "Returns its argument.", Run: echo},
		{Name: "select", Arity: 2, Flags: Fast, Group: "connection", Since: "1.0.0", Summary: "Selects a database, of which there is one, number 0.", Run: selectDB},
		clientCommand(),
	}
}

// PING [message]
func ping(c *Call) error {
	switch len(c.Args) {
	case 1:
		c.W.Simple("PONG")
	case 2:
		c.W.Bulk(c.Args[1])
	default:
		return errArity("ping")
	}
	return nil
}

// ECHO message
func echo(c *Call) error {
	c.W.Bulk(c.Args[1])
	return nil
}

// SELECT index
func selectDB(c *Call) error {
	if err := c.onlyDB(1); err != nil {
		return err
	}
	c.W.OK()
	return nil
}
