package redis

func setCommands() []*command { return nil }
