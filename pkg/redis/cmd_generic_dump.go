package redis

// DUMP, RESTORE.

func dumpCommands() []*command { return nil }
