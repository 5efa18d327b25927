package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/scripts"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/turns"
)

// Multi runs commands as one transaction and appends a reply for each; Redis
// errors of single commands do not undo the others. An Error is returned if
// the transaction is refused as a whole; then nothing has changed.
func (e *Engine) Multi(ctx context.Context, db *Database, a Access, cmds [][]string, w *resp.Writer) error {
	return e.MultiIf(ctx, db, a, cmds, Watched{}, w)
}

// MultiIf is Multi on the condition that no key has changed that is watched. If one has, nothing is carried out, and the error is
// ErrWatched.
func (e *Engine) MultiIf(ctx context.Context, db *Database, a Access, cmds [][]string, watched Watched, w *resp.Writer) error {
	if limit := e.budget.Commands; len(cmds) > limit {
		return errTooManyCommands(limit, len(cmds))
	}
	ctx, turn, own := e.begin(ctx, db)
	defer own.End()
	work := int64(0)
	for _, args := range cmds {
		work += keyspace.CommandWork + keyspace.ArgWork*int64(len(args))
	}
	if err := turn.Spend(ctx, work); err != nil {
		return err
	}
	group := make([]bound, len(cmds))
	checked := int64(0)
	for i, args := range cmds {
		b, err := e.bind(a, args)
		if checked += b.work; checked > e.budget.Work {
			return keyspace.ErrWork(e.budget.Work)
		}
		if spent := turn.Spend(ctx, b.work); spent != nil {
			return spent
		}
		if err != nil {
			return err
		}
		group[i] = b
	}
	if len(group) == 0 {
		return e.stillWatched(ctx, db, watched)
	}
	if err := tooManyWrites(group); err != nil {
		return err
	}
	e.monitor(ctx, db, group...)
	mode := transactMode{multi: true, watched: watched}
	caller := command.CallerOf(ctx)
	if caller == nil || caller.Observer == nil {
		return e.transact(ctx, db, group, mode, keyspace.Handover{}, w)
	}
	mode.ran = make([]ran, len(group))
	err := e.transact(ctx, db, group, mode, keyspace.Handover{}, w)
	if err == nil {
		for i, b := range group {
			caller.Observer.Joined(b.cmd, mode.ran[i].took, mode.ran[i].failure)
		}
	}
	return err
}

// ran is what happened to a command of a transaction.
type ran struct {
	took    time.Duration
	failure string
}

// transactMode says how commands are run.
type transactMode struct {
	multi    bool // they belong together
	mayBlock bool // one that finds nothing may ask to be run again, with WouldBlock
	woken    bool // it has waited already
	watched  Watched

	ran   []ran        // what happened to each command, if somebody observes them
	heard *scriptLines // of what scripts run, if somebody monitors them

	failed map[int]Error // scripts that are left out, by their places: they have failed after they wrote
}

// transact runs commands against one Txn until it commits.
func (e *Engine) transact(ctx context.Context, db *Database, group []bound, mode transactMode, known keyspace.Handover, w *resp.Writer) error {
	keys := slices.Clip(group[0].keys)
	writes, hints := false, false
	for i, b := range group {
		writes = writes || b.cmd.MayWrite()
		hints = hints || b.cmd.Has(command.Scripting)
		if i > 0 {
			keys = append(keys, b.keys...)
		}
	}
	if n := len(mode.watched.keys); n > 0 {
		keys = append(keys, mode.watched.keys...)
	}
	if hints && slices.Contains(keys, "") {
		// Rate limiters pass the empty string for a key that they do not have.
		keys = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == "" })
	}
	if writes {
		unlock, free := e.locks.TryLock(db.ID, keys...)
		if !free {
			turns.Of(ctx).Release()
			var err error
			if unlock, err = e.locks.Lock(ctx, db.ID, keys...); err != nil {
				return err
			}
		}
		defer unlock()
	}
	if hints && db.Monitored != 0 {
		mode.heard = &scriptLines{now: e.now}
		defer func() { e.logLines(ctx, db, mode.heard.lines) }()
	}
	mark := w.Len()
	var attempts *store.Attempts // once one has failed
	for again := false; ; again = true {
		w.Truncate(mark)
		mode.heard.reset()
		if c := command.CallerOf(ctx); again && hints && c != nil && c.Observer != nil {
			c.Observer.Again()
		}
		tx := e.keys.Begin(ctx, db, keyspace.Mode{
			Write: writes, Whole: mode.multi, Divisible: !mode.multi && group[0].cmd.Has(command.Divisible), Hints: hints,
			Doubts: known.Doubts, Budget: group[0].budget,
		})
		err := e.runIn(tx, group, mode, keys, known.Loaded, w)
		tx.LetGo()
		known.Loaded = nil
		if tx.Lost() {
			text := slices.Clone(w.Buf[mark:])
			known.Doubts = append(known.Doubts, tx.Doubt(func() { w.Buf = append(w.Buf, text...) }))
		}
		if out := (leftOut{}); errors.As(err, &out) {
			// Once more, without the script. What it has read still counts.
			if mode.failed == nil {
				mode.failed = map[int]Error{}
			}
			mode.failed[out.member] = out.failure.Text
			keys, known.Loaded = tx.Heads()
			continue
		}
		var refused Error
		if errors.As(err, &refused) && !mode.multi {
			w.Truncate(mark)
			w.Error(refused.Error())
			return nil
		}
		if err == nil {
			if attempts != nil {
				e.locks.Met(attempts.Failed(), db.ID, keys...)
			}
			return nil
		}
		w.Truncate(mark)
		inDoubt := len(known.Doubts) > 0
		if errors.Is(err, store.ErrConflict) || inDoubt && keyspace.Passing(err) {
			if attempts == nil {
				attempts = e.retry.Begin()
				attempts.Expect(e.locks.Expected(db.ID, keys...))
			}
			turns.Of(ctx).Release()
			if err = attempts.Wait(ctx, err); err == nil {
				continue
			}
			err = fmt.Errorf("%s of %d keys: %w", group[0].cmd.Name, len(keys), err)
		}
		if inDoubt {
			// An earlier attempt may still arrive.
			return fmt.Errorf("%w (%v)", store.ErrUnknownOutcome, err)
		}
		return err
	}
}

// runIn runs the commands once, in a transaction. It returns store.ErrConflict if they have to
// run again, and an Error if they cannot be carried out as a whole. In both cases nothing has changed.
func (e *Engine) runIn(tx *keyspace.Txn, group []bound, mode transactMode, keys []string, loaded keyspace.Heads, w *resp.Writer) error {
	if err := tx.Start(keys, loaded); err != nil {
		return err
	}
	first := w.Len()
	if done, err := tx.ResolveDoubts(); done {
		return err
	}
	if err := mode.watched.check(tx); err != nil {
		return err
	}
	for i, b := range group {
		if text, ok := mode.failed[i]; ok {
			w.Error(text.Error())
			if mode.ran != nil {
				mode.ran[i].failure = text.Error()
			}
			continue
		}
		mark := w.Len()
		if limit := e.budget.Replies; int64(mark-first) > limit {
			return keyspace.ErrReplies(limit)
		}
		w.Limit(e.maxReply + command.ReplySlack)
		call := &command.Call{Txn: tx, Command: b.cmd, Args: b.args, W: w, Host: e.host, Access: b.access, Multi: mode.multi, MayBlock: mode.mayBlock, Woken: mode.woken}
		if mode.heard != nil {
			call.Monitor = mode.heard.add
		}
		var began time.Time
		if mode.ran != nil {
			began = e.now()
		}
		err := b.cmd.Run(call)
		w.Unlimit()
		tx.Spend(keyspace.CommandWork + int64(w.Len()-mark))
		if tx.Err() != nil {
			return tx.Err()
		}
		if err == nil {
			call.NoteEvents()
		}
		if err := tx.EndCommand(); err != nil {
			return err
		}
		if n := w.Len() - mark; err == nil && n > e.maxReply {
			// Unlike other errors, this one may come after the command has written.
			return command.ErrReplySize(e.maxReply, n)
		}
		if mode.ran != nil {
			mode.ran[i] = ran{e.now().Sub(began), failureIn(w.Buf[mark:])}
		}
		if err == nil {
			continue
		}
		var redisErr Error
		if !errors.As(err, &redisErr) {
			if failure, ok := err.(*scripts.Failure); ok {
				return leftOut{i, failure}
			}
			return err
		}
		// A command that fails has changed nothing: handlers check before they write.
		w.Truncate(mark)
		w.Error(redisErr.Error())
		if mode.ran != nil {
			mode.ran[i].failure = redisErr.Error()
		}
	}
	return tx.Commit()
}

// leftOut is the error of a transaction that has to run once more without one of its commands, a script.
type leftOut struct {
	member  int // its place among them
	failure *scripts.Failure
}

func (l leftOut) Error() string { return l.failure.Error() }

// tooManyWrites refuses a transaction that cannot be committed whatever it finds: one that sets more keys
// than a commit has items.
func tooManyWrites(group []bound) error {
	if len(group) <= store.MaxCommitOps {
		return nil
	}
	keys := map[string]bool{}
	for _, b := range group {
		if b.cmd.Name == "set" && len(b.args) == 3 {
			keys[b.args[1]] = true
		}
	}
	if len(keys) > store.MaxCommitOps {
		return keyspace.ErrTransactionSize(len(keys))
	}
	return nil
}
