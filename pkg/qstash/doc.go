// Package qstash is the engine of QStash: it stores messages, sends them to their
// destinations until they succeed or their retries are used up, and keeps queues,
// flow control, schedules, URL groups, the dead letter queue, logs and workflow
// runs. It knows neither HTTP nor AWS: it sends through a [Sender], is woken
// through a [wake.Waker] and keeps everything in a [store.Store].
//
// # Guarantees
//
//   - A message is stored before its publishing is answered, and stays until it is
//     delivered, cancelled or in the dead letter queue.
//   - Delivery is at least once. An attempt is claimed in the store before the
//     request is sent and recorded after its answer; only a crash between the two
//     repeats it, with the same message id and the same count of retries.
//   - A wake-up is a hint. It may be lost, doubled, early or late: what is to be
//     done follows from the store alone, and [Engine.Sweep] finds what is overdue.
//   - A queue delivers in order, at most its parallelism at a time; a flow control
//     key never lets more attempts run, or start in a period, than it allows.
//   - Accounts share no partition.
//
// # A message's life
//
//	waiting ──claim──> active ──2xx──> delivered
//	   ^                  │──retries left──> waiting (at a later time)
//	   │                  └──none left─────> failed, with an entry in the dead letter queue
//	parked (behind a queue or a flow control key) and, from anywhere, cancelled
//
// A claim is one conditional update, which also returns all that the delivery
// needs. It is a lease that lasts 5 seconds longer than the message's timeout; whoever
// finds it expired claims the attempt again: the sweep looks once a minute has passed since
// the message was due.
//
// # Items
//
// acct is the account, shard one of 8 that the message's id falls into; parts of
// partition keys are separated by NUL. Times in sort keys are Unix milliseconds,
// big endian.
//
//	partition            sort key             item
//	a                    acct                 account: signing keys, credentials
//	m acct shard         message id           message: settings, state, events
//	b message's id acct  n                    its body, if longer than 1 KiB when compressed, in chunks
//	d acct shard         time kind id         due index: when what has to be looked at
//	u acct               hash                 deduplication id: the message it stands for
//	q acct               queue                queue: parallelism, pause, next place
//	e acct queue         generation place     queue entry: the message in that place
//	f acct               key                  flow control key: limits and counts
//	w acct key           time id              its waitlist
//	g acct               name                 URL group
//	s acct               schedule id          schedule
//	l acct               dlq id               dead letter: the last answer of a failed message
//	r acct run           r, step or waiter    workflow run
//	R acct               run                  index of the running workflow runs
//	v acct event         waiter               workflow runs that wait for an event
//
// A message that has not finished within a year of being due, since it waits behind a
// paused queue or flow control key, is given up; so is a workflow run.
//
// Message ids begin with their time, so that a shard is in the order of creation.
//
// Each message that is not finished has exactly one due entry, at the time when it
// is to be looked at next or, parked behind a flow control key, at the end of time; one in a
// queue has the queue's entry instead. Publishing writes both in
// one unconditional call, the message unacknowledged until both are there. All
// later steps are one update, or one transaction when they touch several items; the
// due entry of a finished message is removed afterwards, and by the sweep if need be.
// Whoever finishes a message wakes what waits behind it, in its queue or its flow control key.
//
// A schedule's item says when it is due next; whatever wakes it, each of its times has one
// message, whose id follows from the time. Wake-ups are repeated by the waker, if it can,
// under a key that the item names: calls for another key are of what the schedule was
// before, and are ended. Otherwise each run asks for the next one. A schedule that is paused has no due
// entry.
//
// A finished message stays for the time that logs are kept: its events are the
// log, so that keeping one costs no write. The log is in order of the messages' creation and, within a message, of time.
//
// A workflow run's entries are numbered without a gap, each added in one transaction
// with the run's count and the message that tells the workflow of it. A wait ends by
// whoever deletes its waiter: a notification, or the time.
//
// A queue's entries stay until their messages are finished, callbacks included. The
// first entries, as many as its parallelism, may be in flight: places are handed out
// in one transaction with the entry, so an entry never loses its place to another.
package qstash
