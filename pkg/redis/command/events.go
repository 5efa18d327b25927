package command

import "github.com/skystash/skystash/pkg/redis/keyspace"

// The keyspace events of a command are those of Redis 7. Most commands have one, in the table: each key that they have changed
// gets it. Others note theirs themselves. That a key was deleted or has expired, or is new, package keyspace notes.

// eventClasses are the classes of the events of commands, by their groups. The rest is generic.
var eventClasses = map[string]keyspace.Events{
	"string": keyspace.StringEvents, "bitmap": keyspace.StringEvents, "hyperloglog": keyspace.StringEvents,
	"list": keyspace.ListEvents, "set": keyspace.SetEvents, "hash": keyspace.HashEvents,
	"sorted-set": keyspace.ZSetEvents, "geo": keyspace.ZSetEvents, "stream": keyspace.StreamEvents, "json": keyspace.JSONEvents,
	"generic": keyspace.GenericEvents,
}

// event notes an event of a key, of the class of the command's group.
func (c *Call) event(name, key string) { c.Txn.Notify(eventClasses[c.Command.Group], name, key) }

// genericEvent notes an event of a key that commands of all groups have.
func (c *Call) genericEvent(name, key string) { c.Txn.Notify(keyspace.GenericEvents, name, key) }

// missedSources notes which keys there are not that a command has read to store something in its first key.
func (c *Call) missedSources() { c.Txn.NotifyMissed(c.Command.KeysOf(c.Args)[1:]...) }

// NoteEvents notes the events of a command that has run.
func (c *Call) NoteEvents() {
	switch {
	case c.Event != "":
		c.Txn.NotifyChanged(eventClasses[c.Command.Group], c.Event)
	case c.Command.Event != "":
		c.Txn.NotifyChanged(eventClasses[c.Command.Group], c.Command.Event)
	case c.Command.Has(ReadOnly) && !c.Command.Has(Silent):
		c.Txn.NotifyAllMissed()
	}
}
