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
// # How much one request may do
//
// A request makes at most Limits.Messages messages, counted after URL groups are unfolded and before
// anything is stored. Their items are handed to the store a few MiB at a time, so a long body
// that goes to a large group is not in memory once for each endpoint.
//
// A destination may be the API itself. Each delivery says in the field [HeaderHops] how many deliveries
// its message has come of, and how many messages their requests have made, multiplied. The API takes
// that over into the messages that it makes of such a request, see [Trail]: callbacks, and
// runs of schedules that were created so, included. A trail that is too long, or too broad, is a loop and
// refused. Publishers cannot set the field, as deliveries replace it. Who calls the API himself
// can, and can only be refused earlier for it; and a handler that publishes leaves it out, so its
// messages begin a new trail.
//
// # A message's life
//
//	waiting ──claim──> active ──2xx──> delivered
//	   ^                  │──retries left──> waiting (at a later time)
//	   │                  └──none left─────> failed, with an entry in the dead letter queue
//	parked (behind a queue or a flow control key) and, from anywhere, cancelled
//
// A claim is one conditional update, which also returns all that the delivery
// needs. From it on an attempt is under way. Cancelling such a message cannot call the request back; it
// prevents all further attempts, and the message ends as cancelled whatever the answer is. Who is told that
// a message is cancelled, or how many, may rely on that.
//
// The claim is a lease. It lasts two minutes, and 5 seconds longer than the message's timeout at most. While an
// attempt takes longer, its engine renews the lease every half minute; an engine that cannot, ends
// the request. Whoever finds the lease expired claims the attempt again: the sweep looks once a minute has passed since
// the message was due. So a process that dies holds its messages up for about three minutes, however long their
// timeouts are. An engine that has the store for itself takes over at once, and renews nothing.
//
// # Long attempts
//
// A process may not run as long as an attempt may take: on AWS Lambda ends it after 15 minutes. Such an attempt is made
// elsewhere, see [Elsewhere]. The engine that has claimed the message passes the claim on, to an owner
// that nobody is yet, and has a process started that takes on this name. The process claims the message anew and
// makes the attempt, as any engine does with a claim of its own. Whoever is woken for the message
// meanwhile finds it claimed. A process that cannot be started, or does not begin within
// five minutes, costs no retry.
//
// # Hosts in trouble
//
// A host that cannot be reached, or that does not answer in time, ten times in a row gets its circuit breaker
// opened (package breaker): attempts are held, and one is made after a second, then one after two, and so on
// up to 30 seconds. Any answer closes it, also one of status 500. To hold an attempt changes nothing about the message: no
// retry is used up, no event written, and its wake-up comes again. An attempt is held no longer than
// the longest pause between two probes, and no longer than the pause before the message's own next retry. Then it is made. So
// a breaker at most doubles the time that a message takes to its end, the dead letter queue, at a host that is gone. A message
// with a retry delay of 100 ms is held for 100 ms, one without retries not at all.
//
// Where processes share wake-ups, as on AWS, none knows what the others wait for. An attempt that takes longer
// than two seconds is noted; several of one process for one host are one note. If a third of all
// processes (Config.Processes) wait for one host, or half of them for one account, further messages for
// these are parked until there is room. Notes end with their attempts, or when these would have timed out.
// In one process the waker shares attempts out, and nothing is noted.
//
// The account's record, which each delivery reads anyway, says whether any host is in trouble. Only then
// their items are read. So where all is well this costs nothing.
//
// # Items
//
// acct is the account, shard one of 8 that the message's id falls into; parts of
// partition keys are separated by NUL. Times in sort keys are Unix milliseconds,
// big endian.
//
//	partition            sort key             item
//	a                    acct                 account: signing keys, credentials
//	k acct               page                 revoked credentials that do not fit the account, see package revoked
//	m acct shard         message id           message: settings, state, events
//	b message's id acct  n                    its body, if longer than 1 KiB when compressed, in chunks
//	d acct shard         time kind id         due index: when what has to be looked at, and the message's host
//	t acct shard         time message id      log index: an event that is long after its message's creation
//	u acct               hash                 deduplication id: the message it stands for
//	q acct               queue                queue: parallelism, pause, next place, floor
//	e acct queue         generation place     queue entry: the message in that place, or void
//	f acct               key                  flow control key: limits and counts
//	w acct key           time id              its waitlist: the message and its host
//	g acct               name                 URL group: its text, and endpoints that were added since
//	h acct               host                 host that is not reached: state of its circuit breaker
//	h acct               host process         process in which attempts for the host take long
//	s acct               schedule id          schedule
//	l acct               dlq id               dead letter: the last answer of a failed message
//	r acct run           r, step or link      workflow run; link: what it waits for
//	R acct               run                  index of the workflow runs
//	T acct key           ten seconds          tickets of those who have met at a flow control key, see store.Tickets
//	v acct event         waiter               workflow runs that wait for an event
//
// A message that has not finished within a year of being due, since it waits behind a
// paused queue or flow control key, is given up. The items of a workflow run are kept for as long as
// the run may go on, see keepRun.
//
// Message ids begin with their time, so that a shard is in the order of creation.
//
// Each message that is not finished has exactly one due entry, at the time when it
// is to be looked at next or, parked behind a flow control key, at the end of time; one in a
// queue has the queue's entry instead. Publishing writes both in
// one unconditional call, the message unacknowledged until both are there. All
// later steps are one update, or one transaction when they touch several items; the
// due entry of a finished message, or its entry in a queue, is removed afterwards, and by the sweep if need be. That of a
// workflow run's message is always left to the sweep, see below.
// Whoever finishes a message wakes what waits behind it, in its queue or its flow control key.
//
// A schedule's item says when it is due next; whatever wakes it, each of its times has one
// message, whose id follows from the time. Wake-ups are repeated by the waker, if it can,
// under a key that the item names: calls for another key are of what the schedule was
// before, and are ended. Otherwise each run asks for the next one. A schedule that is paused has no due
// entry.
//
// A finished message stays for the time that logs are kept: its events are the
// log, so that keeping one costs no write. The log is in order of the events' times. Events within ten
// seconds after their message's creation are found by the creation. A later event has an anchor in
// the log index, one write, unless the message has had one within ten seconds before: an attempt that is delayed, or
// a retry, or one that has waited in a queue, needs one in all. Reading a page reads the
// messages of ten seconds more than the page.
//
// # Several callers at one item
//
// What reads, decides and writes on a condition does so under Config.Retry, and in one process the
// callers queue up, so that they do not pay for each other's attempts. What hundreds of processes
// do to one item at once is not decided by a condition but counted by an atomic Add: places in a
// queue, and the numbers of a workflow run's entries. An attempt under a flow control key takes its slot
// and its message in one transaction, and gives the slot back in another, so that no process that ends
// in between loses a slot. Transactions of several processes that have met at a key take tickets, see
// [store.Tickets], and go on one after the other.
//
// # Workflow runs
//
// A step takes its number by an Add to the run's count. Its entry follows, in one transaction with
// the message that tells the workflow of it. So an entry may come after one with a greater number,
// or never, if its writer has died. Branches that run beside each other need one of them to be
// delivered with both. Therefore the delivery of entry n first makes each number below n that has
// no entry void: a void entry is written on the condition that there is none. A writer whose
// number has become void takes another one, which is greater than n, and is delivered with n.
//
// A wait ends by whoever deletes its waiter: a notification, or the time.
//
// What a run waits for and what is no entry yet has a link in the run's partition: a request to a
// third party, the message of a delayed step, a waiter, or a run that it has invoked. Links stay when the wait
// is over. They are written with, or just before, what they name, so a link may name a message that never came.
//
// A call with messages of a run is accepted or refused as a whole, since SDKs look at the call's answer only.
// ErrRunEnded says that the run has ended, KindQuota that a message can never be accepted. So no step is
// lost without its workflow hearing of it.
//
// A run that is resumed is a new one, which begins with the entries of the failed one. It is written in one commit
// with the removal of the dead letter, and with the messages of all branches that have no result yet.
//
// A 2xx answer to a run's first delivery has to show that a workflow has answered, see Detect. Anything
// else would leave the run waiting for steps that nobody submits.
//
// # No run is stuck
//
// A running run is carried by at least one of these: a message that has not finished, a waiter that
// waits, another run that it has invoked and that runs. From the run one gets to all of them, by its
// entries and its links.
//
// Only the end of what carries a run can leave it with nothing. So the due entry of a run's message
// outlives the message. A minute after the message has finished the sweep finds the entry, and
// reads the run once, however many entries have led to it:
//
//   - The run has ended: the entry is removed.
//   - Something carries the run: the entry is removed, since what carries the run has a due entry of
//     its own. Mostly that is the message of the last entry, so one entry and one message are read.
//   - A link was written within the last minute, and what it names is not there yet: the entry stays
//     until the next sweep.
//   - Nothing carries the run: it fails. One transaction ends the run, makes the message of its last
//     entry a failed one, and stores dead letter and failure callback. It has the condition that no
//     entry has come since.
//
// A delivery does not pay for that: it leaves out the removal, which the sweep makes up for. The
// sweep reads one unit for each message and about two for each run, see
// integration/bench/qstash/COSTS.md.
//
// A message that fails for good ends its run in the same transaction, with dead letter and failure
// callback. So no crash leaves a failed run of which nobody is told. The run that has invoked it is
// told before. A run's message that is cancelled by the API cancels the run.
//
// # Queues
//
// Publishing to a queue takes a place by an Add to the queue's item, then writes the entry and the
// message in one transaction, which does not touch the queue's item. An entry stays until its message
// is finished, callbacks included. A message may run if its entry is among the first, as many as
// the queue's parallelism.
//
// Place 8 may be written before place 7. If 8 began to run then, and 7 came and was first, two
// would run where one may. So a place is decided before a later one runs:
//
//	given ──entry and message──> taken ──message finished──> gone
//	  └────void entry──────────> void  ──after an hour─────> gone
//
// Both writes have the condition that the place has no entry, so a place is either taken or void.
// Who claims the message at place p reads the first entries, makes all places below p void that
// have none, and claims only if p is among the first. A publisher whose place has become void takes
// a new one, at the end: its message was not acknowledged yet. A publisher that dies costs one void
// entry, and holds up nobody.
//
// Of decided places none becomes taken. So the entries before p only become fewer, and of all
// messages that run, the one with the greatest place had fewer than the parallelism before it, those
// of all the others that run among them: there are never too many. The order is that of the
// places, and who publishes after another's publishing was answered has a greater place.
//
// The queue's item has a floor: all places below are decided. It is raised before a message runs,
// while its entry is there, past all entries that follow without a gap. So a place that is gone needs no void
// entry, and a queue with many messages raises its floor once for many of them. A queue without a
// floor was written when places were given together with their entries: all of them are decided.
//
// A publisher may have a place in a queue that is deleted meanwhile. Its message is cancelled when
// it is woken, or by the sweep: a due entry names the deleted queue's generation for five minutes.
package qstash
