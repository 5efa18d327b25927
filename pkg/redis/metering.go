package redis

import (
	"context"
	"strings"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
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

// Outcome is what a command came to, by its reply.
func (e *Engine) Outcome(args []string, reply []byte) meter.Ran {
	cmd := e.commands.Of(args)
	if cmd == nil {
		text, _ := resp.ErrorText(reply)
		return meter.Ran{Command: UnknownCommand, Error: text}
	}
	ran := meter.Ran{Command: cmd.Full()}
	if text, failed := resp.ErrorText(reply); failed {
		ran.Error = text
		return ran
	}
	if cmd.Has(command.ReadOnly) && !cmd.Has(command.Write|command.Walks) && cmd.Keys != command.NoKeys {
		ran.Hits, ran.Misses = found(cmd.Name, args, reply)
	}
	return ran
}

// UnknownCommand stands for whatever clients send that is no command.
const UnknownCommand = "unknown"

// found counts the keys that a command which reads has found, and those that it has not, by its reply.
func found(name string, args []string, reply []byte) (hits, misses int64) {
	v, rest, err := resp.Next(reply)
	switch {
	case err != nil:
		return 0, 0
	case name == "exists" || name == "touch":
		return v.Int, int64(len(args)-1) - v.Int
	case (name == "mget" || name == "json.mget") && v.Aggregate():
		for range v.Len {
			var member []byte
			if member, rest, err = resp.Cut(rest); err != nil {
				break
			}
			if resp.IsNull(member) {
				misses++
			} else {
				hits++
			}
		}
		return hits, misses
	case resp.IsNull(reply), v.Aggregate() && v.Len == 0, v.Type == resp.TypeInt && v.Int == -2:
		return 0, 1
	}
	return 1, 0
}
