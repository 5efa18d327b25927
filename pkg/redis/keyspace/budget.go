package keyspace

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/glob"
	"github.com/skystash/skystash/pkg/redis/internal/refusal"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/turns"
)

// Budget bounds what one request may use: a command, a pipeline, a transaction or a script with all
// commands that it calls. A request that needs more is stopped with an error and has changed nothing;
// of a pipeline, the members that were carried out before stay. A zero field stands for its default.
//
// Work is counted in units, not in time, so that a request that is refused once is always refused. One
// unit is about a nanosecond of a processor: a byte that is copied, or a part of an element, an item or
// a step of a script (see the constants below).
type Budget struct {
	Work      int64 // units; default 2,000 million
	Memory    int64 // bytes that a command or transaction keeps until it ends, but for its reply, with what its request was inflated to; default 128 MiB
	Replies   int64 // bytes of all replies of a pipeline or transaction; default 64 MiB
	Commands  int   // members of a pipeline or transaction; default 50,000
	Arguments int   // of one command, with its name; default 131,072
}

// DefaultBudget is what the zero fields of a Budget stand for.
var DefaultBudget = Budget{Work: 2_000_000_000, Memory: 128 << 20, Replies: 64 << 20, Commands: 50_000, Arguments: 128 << 10}

// OrDefaults is the Budget with defaults for its zero fields.
func (b Budget) OrDefaults() Budget {
	return Budget{
		Work:      cmp.Or(b.Work, DefaultBudget.Work),
		Memory:    cmp.Or(b.Memory, DefaultBudget.Memory),
		Replies:   cmp.Or(b.Replies, DefaultBudget.Replies),
		Commands:  cmp.Or(b.Commands, DefaultBudget.Commands),
		Arguments: cmp.Or(b.Arguments, DefaultBudget.Arguments),
	}
}

// What things cost, in units of work.
const (
	CommandWork = 1_000  // a command: looking it up, checking it, replying
	ArgWork     = 100    // an argument of it, before it runs
	KeyWork     = 9_000  // reading a key's head
	callWork    = 2_000  // a call of the store that reads elements
	lookupWork  = 6_000  // an element that the store looks up by itself
	itemWork    = 850    // an element that the store reads, besides its bytes
	ElementWork = 120    // an element that is looked at in memory, besides its bytes
	headWork    = 35_000 // a key that is written
	writeWork   = 4_000  // an item that is written, besides its bytes
	byteWork    = 4      // a byte that is written to the store
	jsonWork    = 10     // a byte of JSON that is parsed
	GlobWork    = 4      // a byte of a glob-style pattern that is looked at
)

// What things take of a transaction's memory besides their bytes.
const (
	keyMemory     = 600
	ElementMemory = 150
)

// commitTime is how long before the deadline of its context a request ends that has not begun to commit.
const commitTime = 100 * time.Millisecond

// Allowance is what a request has left of its Budget. It is used by one goroutine at a time.
type Allowance struct {
	limits Budget
	left   int64       // units of work
	next   int64       // when left falls below it, the budget is looked at
	seen   int64       // left when it was looked at last
	turn   *turns.Turn // of the request
}

// NewAllowance is what a request with a turn may use.
func NewAllowance(limits Budget, turn *turns.Turn) Allowance {
	return Allowance{limits: limits, left: limits.Work, next: limits.Work - turns.ShortWork, seen: limits.Work, turn: turn}
}

// look is called after some work. It waits until it is the request's turn to do more. An error says that the
// request must end.
func (b *Allowance) look(ctx context.Context) error {
	if b.left < 0 {
		return ErrWork(b.limits.Work)
	}
	done := b.seen - b.left
	b.seen, b.next = b.left, max(b.left-turns.LookEvery, 0)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.turn.Spend(ctx, done); err != nil {
		return err
	}
	if at, ok := ctx.Deadline(); ok && time.Until(at) < commitTime {
		return fmt.Errorf("the deadline is near: %w", context.DeadlineExceeded)
	}
	return nil
}

// Member counts a member of a pipeline before it is carried out. replies is how many bytes those before
// it have answered.
func (b *Allowance) Member(ctx context.Context, replies int) error {
	if int64(replies) > b.limits.Replies {
		return ErrReplies(b.limits.Replies)
	}
	if b.left -= CommandWork; b.left < b.next {
		return b.look(ctx)
	}
	return b.turn.Keep(ctx)
}

// spend counts work. A transaction that has no work left fails.
func (tx *Txn) spend(units int64) {
	if tx.budget.left -= units; tx.budget.left < tx.budget.next {
		tx.look()
	}
}

func (tx *Txn) look() {
	if err := tx.budget.look(tx.ctx); err != nil {
		tx.Fail(err)
	}
}

// Spend is spend for packages that do work on behalf of a transaction. The error ends it.
func (tx *Txn) Spend(units int64) error {
	tx.spend(units)
	return tx.err
}

// Waited is how long the transaction's request has waited for turns.
func (tx *Txn) Waited() time.Duration {
	if t := tx.budget.turn; t != nil {
		return t.Waited
	}
	return 0
}

// Use counts work that was done beside transactions. The next member of the pipeline finds out.
func (b *Allowance) Use(units int64) { b.left -= units }

// Used is how much work was done.
func (b *Allowance) Used() int64 { return b.limits.Work - b.left }

// Hold counts bytes that stay in memory until the transaction ends, a negative number those that do
// so no more. A transaction that holds too much fails.
func (tx *Txn) Hold(bytes int64) {
	tx.held += bytes
	held := tx.held
	if t := tx.budget.turn; t != nil { // with what the request keeps besides
		t.Held += bytes
		held = t.Held
	}
	if limit := tx.budget.limits.Memory; held > limit {
		tx.Fail(ErrMemory(limit))
	}
}

// ErrMemory refuses a request that keeps more than it may.
func ErrMemory(limit int64) error {
	return refusal.Error(fmt.Sprintf("ERR max request memory exceeded. Limit: %d bytes", limit))
}

// LetGo is called when a transaction has ended: it keeps nothing any more.
func (tx *Txn) LetGo() {
	if t := tx.budget.turn; t != nil {
		t.Held -= tx.held
	}
	tx.held = 0
}

// Room reports whether a transaction may hold so many bytes more. If not, it fails. What is about to be made and
// then counted is asked for first.
func (tx *Txn) Room(bytes int64) bool {
	tx.Hold(bytes)
	tx.Hold(-bytes)
	return tx.err == nil
}

// Take counts bytes that are read or made, and stay.
func (tx *Txn) Take(bytes int64) {
	tx.spend(bytes)
	tx.Hold(bytes)
}

// added counts elements that were put into an inline collection.
func (tx *Txn) added(values []string) {
	n := int64(0)
	for _, v := range values {
		n += 16 + int64(len(v))
	}
	tx.Take(n)
}

// Matches is glob.Match. It counts the work.
func (tx *Txn) Matches(pattern, s string) bool {
	ok, steps := glob.MatchWithin(pattern, s, max(tx.budget.left/GlobWork, 0))
	tx.spend(steps * GlobWork)
	return ok
}

// ErrWork refuses a request that does more work than it may.
func ErrWork(limit int64) refusal.Error {
	return refusal.Error(fmt.Sprintf("ERR max request work exceeded. Limit: %d units", limit))
}

// ErrReplies refuses what follows replies that are too large together.
func ErrReplies(limit int64) refusal.Error {
	return refusal.Error(fmt.Sprintf("ERR max size of all replies exceeded. Limit: %d bytes", limit))
}

// ErrTransactionSize refuses a transaction of more items than a commit has.
func ErrTransactionSize(items int) refusal.Error {
	return refusal.Error(fmt.Sprintf("ERR transaction too large: %d items in one transaction, at most %d", items, store.MaxCommitOps))
}
