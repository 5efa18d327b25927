package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/glob"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Message is what a subscriber receives.
type Message struct {
	Pattern string // of a subscription by pattern: which one matched
	Channel string
	Payload string
	Shard   bool // the channel is a shard channel
}

// Limits of a subscription.
const (
	maxSubscribed  = 1024    // channels and patterns
	maxQueued      = 1024    // messages that wait to be taken
	maxQueuedBytes = 1 << 20 // of them, but for the last one
	// closeTimeout bounds the time in which a closed subscription is taken from the registry.
	closeTimeout = 5 * time.Second
)

// Subscription receives the messages of channels and of patterns of channels, those
// of one channel in the order in which they were published, each of them once for the
// channel and once for each pattern that matches. It must be closed.
type Subscription struct {
	hub      *hub
	monitors bool               // messages are commands
	stopBeat context.CancelFunc // ends the renewals of a monitor's mark
	turn     int                // of the logs to catch up with; Next's alone
	wake     chan struct{}

	mu       sync.Mutex
	channels []string
	patterns []string
	only     map[string]bool // channels
	tails    []*tail
	queue    []Message
	bytes    int
	err      error
	closed   bool
}

// Subscribe begins to receive messages: all that are published after it has returned. An Error is
// returned if the caller may not.
func (b *Broker) Subscribe(ctx context.Context, db *keyspace.Database, a command.Access, channels, patterns []string) (*Subscription, error) {
	if err := a.CheckSubscribe(channels, patterns); err != nil {
		return nil, err
	}
	if len(channels)+len(patterns) > maxSubscribed {
		return nil, resp.Error(fmt.Sprintf("ERR too many channels: %d, at most %d", len(channels)+len(patterns), maxSubscribed))
	}
	for _, name := range slices.Concat(channels, patterns) {
		if len(name) > keyspace.MaxKeySize {
			return nil, keyspace.ErrKeySize(len(name))
		}
	}
	s := &Subscription{hub: b.hubOf(db), channels: command.Distinct(channels), patterns: command.Distinct(patterns), only: map[string]bool{}, wake: make(chan struct{}, 1)}
	for _, c := range s.channels {
		s.only[c] = true
	}
	logs := logsFor(db, s.channels, s.patterns)
	err := s.hub.register.add(ctx, s.channels, s.patterns, 1)
	if err == nil {
		err = s.join(ctx, logs)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// join begins to follow logs.
func (s *Subscription) join(ctx context.Context, logs map[messageLog]bool) error {
	for l := range logs {
		t := s.hub.tail(l)
		if err := t.join(ctx, s); err != nil {
			return err
		}
		s.mu.Lock()
		s.tails = append(s.tails, t)
		s.mu.Unlock()
	}
	return nil
}

// Close ends the subscription: publishers do not count it any more once it has returned.
func (s *Subscription) Close() {
	s.mu.Lock()
	done := s.closed
	s.closed = true
	s.queue = nil
	s.mu.Unlock()
	if done {
		return
	}
	s.signal()
	for _, t := range s.joined() {
		t.leave(s)
	}
	if s.stopBeat != nil {
		s.stopBeat()
	}
	if !s.monitors {
		s.unregister(s.channels, s.patterns)
	}
}

// Next waits for the next message. It fails when the context ends, with ErrClosed when the engine is
// closed, and with ErrLagged if the caller has taken messages so slowly that some were deleted.
func (s *Subscription) Next(ctx context.Context) (Message, error) {
	for {
		if m, ok, err := s.take(); ok || err != nil {
			return m, err
		}
		more, err := s.catchUp(ctx)
		if err != nil {
			return Message{}, err
		}
		if more {
			continue
		}
		select {
		case <-s.wake:
		case <-s.hub.broker.duties.Done():
			return Message{}, ErrClosed
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

// catchUp reads from one of the logs that the subscription has fallen behind in; from another one each time. All at once
// would be too much to hold. more is false if there is none.
func (s *Subscription) catchUp(ctx context.Context) (more bool, err error) {
	tails := s.joined()
	for i := range tails {
		more, err = tails[(s.turn+i)%len(tails)].catchUp(ctx, s)
		if errors.Is(err, errLogGone) {
			err = ErrLagged
		}
		if more || err != nil {
			s.turn = (s.turn + i + 1) % len(tails)
			return more, err
		}
	}
	return false, nil
}

// QueuedBytes is the size of the messages that wait to be taken. What else was published waits in the database.
func (s *Subscription) QueuedBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// take takes a message from the queue, if there is one.
func (s *Subscription) take() (m Message, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return m, false, errClosedSubscription
	case len(s.queue) == 0:
		return m, false, s.err
	}
	m = s.queue[0]
	s.queue[0] = Message{}
	s.bytes -= len(m.Channel) + len(m.Payload)
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	return m, true, nil
}

// offer queues a message if it is wanted; false: there is no room for it.
func (s *Subscription) offer(p publication) bool {
	copies := s.copies(p)
	if copies == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 && (len(s.queue) >= maxQueued || s.bytes+p.size() > maxQueuedBytes) {
		return false
	}
	s.enqueue(copies)
	return true
}

// push queues a message if it is wanted.
func (s *Subscription) push(p publication) {
	copies := s.copies(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enqueue(copies)
}

func (s *Subscription) enqueue(messages []Message) {
	if len(messages) == 0 || s.closed {
		return
	}
	for _, m := range messages {
		s.bytes += len(m.Channel) + len(m.Payload)
	}
	s.queue = append(s.queue, messages...)
	s.signal()
}

// maxSteps bounds how many bytes of patterns are looked at for one message: five hundred for each of the patterns that a
// subscription can have. A long pattern with a star looks at all of it for each byte of a channel's name.
const maxSteps = 5_000_000

// errTooDear ends a subscription.
const errTooDear resp.Error = "ERR the patterns of the subscription are too many, or too long, to be compared with the name of a channel"

// copies are the messages that a publication means for the subscription. One whose patterns take too long to compare fails.
func (s *Subscription) copies(p publication) (out []Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.monitors || s.only[p.channel] {
		out = append(out, Message{Channel: p.channel, Payload: p.payload})
	}
	if isShard(p.channel) {
		for i := range out {
			out[i].Channel, out[i].Shard = p.channel[len(shardPrefix):], true
		}
		return out
	}
	left := int64(maxSteps)
	for _, pattern := range s.patterns {
		matches, steps := glob.MatchWithin(pattern, p.channel, left)
		if left -= steps; left < 0 {
			s.err = errTooDear
			s.signal()
			return nil
		}
		if matches {
			out = append(out, Message{Pattern: pattern, Channel: p.channel, Payload: p.payload})
		}
	}
	return out
}

// fail ends the subscription for a reason.
func (s *Subscription) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	if errors.Is(err, errLogGone) {
		s.err = ErrLagged
	}
	s.signal()
}

// signal makes Next look again.
func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
