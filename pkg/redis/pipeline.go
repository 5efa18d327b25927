package redis

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// Pipeline runs commands one after the other, not atomically, and appends a
// reply for each. Neighbouring commands that only read share one round of reads. All
// members share one Budget.
func (e *Engine) Pipeline(ctx context.Context, db *Database, a Access, cmds [][]string, w *resp.Writer) {
	e.PipelineUpTo(ctx, db, a, cmds, 0, w)
}

// PipelineUpTo is Pipeline for a caller that sends replies while it goes on. It stops behind the command that has
// made the replies longer than upTo bytes (0: it never does), or when the Caller's Waits is done, and returns how many
// commands it has carried out.
// The database is the one that the next commands are for, which a command may have flushed.
func (e *Engine) PipelineUpTo(ctx context.Context, db *Database, a Access, cmds [][]string, upTo int, w *resp.Writer) (done int, _ *Database) {
	if limit := e.budget.Commands; len(cmds) > limit {
		e.stopped(ctx, len(cmds), errTooManyCommands(limit, len(cmds)), w)
		return len(cmds), db
	}
	ctx, turn, own := e.begin(ctx, db)
	defer own.End()
	limits := keyspace.NewAllowance(e.budget, turn)
	first := w.Len()
	caller := command.CallerOf(ctx)
	full := func() bool {
		return upTo > 0 && w.Len()-first > upTo || caller != nil && caller.Waits != nil && caller.Waits.Err() != nil
	}
	for i := 0; i < len(cmds); {
		if full() {
			return i, db
		}
		if err := limits.Member(ctx, w.Len()-first); err != nil {
			e.stopped(ctx, len(cmds)-i, err, w)
			return len(cmds), db
		}
		b, err := e.bind(a, cmds[i])
		limits.Use(b.work)
		if err != nil {
			w.Error(err.Error())
			e.rejected(caller, cmds[i], err)
			i++
			continue
		}
		b.budget = &limits
		if !groupable(b.cmd) || i+1 == len(cmds) {
			loaded := e.loaded(ctx, db, b)
			e.monitor(ctx, db, b)
			e.pipelined(ctx, db, b, loaded, w)
			i++
			if b.cmd.Outside == nil {
				continue
			}
			// The record may be another one now. Without it, no command would know where its keys are.
			now, err := e.Database(ctx, db.ID)
			if err != nil {
				for range cmds[i:] {
					e.failed(ctx, b, err, w)
				}
				return len(cmds), db
			}
			db = now
			continue
		}
		group := []bound{b}
		keys := slices.Clip(b.keys)
		for i++; i < len(cmds); i++ {
			next, err := e.bind(a, cmds[i])
			if err != nil || !groupable(next.cmd) {
				break
			}
			limits.Use(next.work)
			next.budget = &limits
			more := next.keys
			if len(keys)+len(more) > store.MaxSnapshotItems {
				break
			}
			group = append(group, next)
			keys = append(keys, more...)
		}
		e.monitor(ctx, db, group...)
		loaded, err := e.loadGroup(ctx, db, group, keys)
		for j, b := range group {
			if err != nil {
				e.failed(ctx, b, err, w)
				continue
			}
			if j > 0 {
				if full() {
					return i - len(group) + j, db
				}
				if err := limits.Member(ctx, w.Len()-first); err != nil {
					e.stopped(ctx, len(cmds)-i+len(group)-j, err, w)
					return len(cmds), db
				}
			}
			e.pipelined(ctx, db, b, loaded, w)
		}
	}
	return len(cmds), db
}

// groupable commands only read keys that their arguments name.
func groupable(cmd *command.Command) bool {
	return cmd.Has(command.ReadOnly) && !cmd.Has(command.Write|command.Walks) && cmd.Keys != command.NoKeys
}

// loadGroup reads the heads of all keys of several reading commands.
func (e *Engine) loadGroup(ctx context.Context, db *Database, group []bound, keys []string) (keyspace.Heads, error) {
	known := e.loaded(ctx, db, group...)
	if len(group) == 1 {
		return known, nil
	}
	several := false // a command that reads several keys needs them as of one moment
	for _, b := range group {
		if len(b.keys) > 1 {
			several = true
		}
	}
	if several {
		known = nil
	}
	missing := keys
	if len(known) > 0 {
		missing = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { _, ok := known[k]; return ok })
	}
	if len(missing) == 0 {
		return known, nil
	}
	read, err := e.keys.Load(ctx, db.At(e.nowMs()), missing, several)
	if err != nil {
		return nil, err
	}
	maps.Copy(read, known)
	return read, nil
}

func (e *Engine) pipelined(ctx context.Context, db *Database, b bound, loaded keyspace.Heads, w *resp.Writer) {
	mark := w.Len()
	if c := command.CallerOf(ctx); c != nil && c.Observer != nil {
		began := e.now()
		defer func() { c.Observer.Ran(b.cmd, b.args, e.now().Sub(began), failureIn(w.Buf[mark:])) }()
	}
	if err := e.run(ctx, db, b, loaded, w); err != nil {
		w.Truncate(mark)
		e.failed(ctx, b, err, w)
	}
}

// failureIn is the text of an error reply, and "" of others.
func failureIn(reply []byte) string {
	text, _ := resp.ErrorText(reply)
	return text
}

// rejected tells who observes the caller's commands of one that was refused before it ran.
func (e *Engine) rejected(caller *command.Caller, args []string, err error) {
	if caller != nil && caller.Observer != nil && len(args) > 0 {
		caller.Observer.Rejected(e.commands.Of(args), err.Error())
	}
}

// stopped answers the last n members of a pipeline, which are not carried out.
func (e *Engine) stopped(ctx context.Context, n int, err error, w *resp.Writer) {
	var refused Error
	text := Error(FailureText(err))
	if errors.As(err, &refused) {
		text = refused
	} else {
		e.log.Log(ctx, FailureLevel(err), "pipeline stopped", "left", n, "error", err)
	}
	for range n {
		w.Error(text.Error())
	}
}

// failed reports a failure of ours in the place of a reply.
func (e *Engine) failed(ctx context.Context, b bound, err error, w *resp.Writer) {
	e.log.Log(ctx, FailureLevel(err), "command failed", "command", b.cmd.Name, "error", err)
	w.Error(FailureText(err))
}
