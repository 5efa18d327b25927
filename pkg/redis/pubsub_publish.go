package redis

import (
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// Publish sends a message when the transaction commits and returns the number of
// subscriptions that it reaches. Where there are none, it costs a read and no write.
func (tx *Txn) Publish(channel, payload string) (int64, error) {
	if len(channel) > maxKeySize {
		return 0, errKeySize(len(channel))
	}
	if len(tx.messages) == maxPublished {
		return 0, Error(fmt.Sprintf("ERR transaction too large: more than %d messages", maxPublished))
	}
	if tx.err != nil {
		return 0, nil
	}
	n, err := tx.e.receivers(tx.ctx, tx.db.ID, channel, tx.now)
	if err != nil {
		tx.fail(err)
		return 0, nil
	}
	if n > 0 {
		tx.messages = append(tx.messages, publication{channel, payload})
	}
	return n, nil
}

// messageOps are the operations of a commit that send the transaction's messages.
// What is too large for the logs is written before.
func (tx *Txn) messageOps() ([]store.Op, error) {
	if len(tx.messages) == 0 {
		return nil, nil
	}
	ops, bodies := appendToLogs(tx.id, tx.now, tx.db.logOf, tx.messages)
	if len(bodies) > 0 {
		if err := tx.e.store.Load(tx.ctx, bodies, nil); err != nil {
			return nil, fmt.Errorf("writing %d parts of messages: %w", len(bodies), unseen(err))
		}
	}
	return ops, nil
}

// messageLogs are the logs that the transaction's messages go to.
func (tx *Txn) messageLogs() []messageLog {
	var logs []messageLog
	for _, m := range tx.messages {
		if l := tx.db.logOf(m.channel); !slices.Contains(logs, l) {
			logs = append(logs, l)
		}
	}
	return logs
}

// sent follows a commit that has sent messages: it wakes the subscribers in this process and
// keeps the logs' heads small. After a commit of several operations, what a head holds has to be read.
func (tx *Txn) sent() {
	if len(tx.messages) == 0 {
		return
	}
	logs := tx.messageLogs()
	for _, l := range logs {
		tx.e.published(l)
	}
	if tx.sentHead != nil {
		tx.e.tidyLog(tx.ctx, logs[0], tx.sentHead)
		return
	}
	for _, l := range logs {
		if head, err := tx.e.store.Get(tx.ctx, l.key(logHead)); err == nil { // else a later publication sees to it
			tx.e.tidyLog(tx.ctx, l, head)
		}
	}
}

// notSent follows a commit that has failed because of an item: if that is a log's head
// that is full, it makes room.
func (tx *Txn) notSent(op store.Op, found store.Attrs) {
	for _, l := range tx.messageLogs() {
		if op.Key == l.key(logHead) {
			tx.e.tidyLog(tx.ctx, l, found)
		}
	}
}

// resolveMessages finds out whether a commit that sends messages has taken effect though its
// answer was lost; if not, it never will.
func (tx *Txn) resolveMessages() error {
	state, err := tx.e.sealLog(tx.ctx, tx.messageLogs()[0], tx.id)
	if err != nil {
		return err
	}
	if state == applied {
		tx.done()
		return nil
	}
	return fmt.Errorf("a write was lost: %w", store.ErrConflict)
}
