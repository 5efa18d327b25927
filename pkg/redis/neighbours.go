package redis

// Neighbours are other processes that serve the same databases. They need not get everything that they are told. Its
// methods are called often, and must not wait. Package nudge has them.
type Neighbours interface {
	// Await tells them that commands wait here for keys of a database. It is told again every two seconds at least.
	Await(db string, keys []string)
	// Written tells them that a key was, or may have been, written here. They call Wake.
	Written(db, key string)
}

// Wake tells the engine that a key was written elsewhere: a command that waits for it looks again.
func (e *Engine) Wake(db, key string) { e.waiters.written(db, key) }

// written follows each write of a key.
func (e *Engine) written(db, key string) {
	e.waiters.written(db, key)
	if e.others != nil {
		e.others.Written(db, key)
	}
}

// awaits tells others what commands wait for.
func (e *Engine) awaits(db string, keys []string) {
	if e.others != nil {
		e.others.Await(db, keys)
	}
}
