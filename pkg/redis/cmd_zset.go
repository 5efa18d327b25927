package redis

func zsetCommands() []*command { return nil }
