package redis

import (
	"context"
	"strings"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// Class is the class of operations that a command belongs to, one of package meter's. It
// need not be a command that there is.
func (e *Engine) Class(args []string) string {
	cmd := e.commands.Named(args[0])
	if cmd == nil {
		return meter.ClassOther
	}
	if cmd.Subcommands != nil && len(args) > 1 {
		if sub := cmd.Subcommands[strings.ToLower(args[1])]; sub != nil {
			cmd = sub
		}
	}
	switch {
	case cmd.Has(command.Scripting):
		return meter.ClassScript
	case cmd.Has(command.Publishes) || cmd.Group == "pubsub":
		return meter.ClassPubSub
	case cmd.Has(command.Write):
		return meter.ClassWrite
	case cmd.Has(command.ReadOnly):
		return meter.ClassRead
	}
	return meter.ClassOther
}

// Block makes those who serve the database refuse all commands with a text, until a limit's
// time is over; on every instance within Config.RecordTTL. The zero Block ends that.
func (e *Engine) Block(ctx context.Context, id string, b meter.Block) error {
	edit := store.Remove(keyspace.RecBlock)
	if text := b.Encode(); text != "" {
		edit = store.Set(keyspace.RecBlock, store.Bytes(text))
	}
	_, err := e.updateRecord(ctx, id, edit)
	return err
}
