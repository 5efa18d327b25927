package redis

func genericCommands() []*command { return nil }
