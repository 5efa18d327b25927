package redis

func bitmapCommands() []*command { return nil }
