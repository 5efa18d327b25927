package redis

func geoCommands() []*command { return nil }
