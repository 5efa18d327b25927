package redis

func hllCommands() []*command { return nil }
