package kinesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/smithy-go"

	"github.com/skystash/skystash/pkg/kafka/ingest"
)

// A shard takes five reads a second, of all who read it. The materializer has to get one of them, and
// any number of processes may want the shard's end for those who wait in them.
const (
	tailEvery    = 500 * time.Millisecond // between two reads of a shard's end by this process
	longestQueue = 2 * time.Second        // that a read waits for its turn
	firstRest    = time.Second            // in which a shard that has refused a read is left alone
	longestRest  = 8 * time.Second
)

// budget bounds the reads of shards' ends.
type budget struct {
	mu     sync.Mutex
	shards map[string]*turns
}

// turns are those of one shard.
type turns struct {
	next time.Time     // when the next read may begin
	rest time.Duration // since the last refusal; 0: it was not refused
}

func (b *budget) of(shard string) *turns {
	if b.shards == nil {
		b.shards = map[string]*turns{}
	}
	t := b.shards[shard]
	if t == nil {
		t = &turns{}
		b.shards[shard] = t
	}
	return t
}

// tail makes a call that reads a shard's end, when it is its turn. If that takes too long, or the shard
// refuses it, the error is ingest.ErrThrottled: nothing is tried again, so that others get their share.
func (s *Stream) tail(ctx context.Context, shard string, call func() error) error {
	now := s.now()
	s.budget.mu.Lock()
	t := s.budget.of(shard)
	wait := max(0, t.next.Sub(now))
	late := wait > longestQueue
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(now.Add(wait)) {
		late = true
	}
	if !late {
		t.next = now.Add(wait + tailEvery)
	}
	s.budget.mu.Unlock()
	if late {
		return fmt.Errorf("kinesis: reading the end of shard %s: %w: it is not its turn", shard, ingest.ErrThrottled)
	}
	if wait > 0 && !sleep(ctx, wait) {
		return fmt.Errorf("kinesis: reading the end of shard %s: %w", shard, ctx.Err())
	}
	err := call()
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	var api smithy.APIError
	if !errors.As(err, &api) || !isThrottle(api.ErrorCode()) {
		if err == nil {
			t.rest = 0
		}
		return err
	}
	t.rest = min(longestRest, max(firstRest, 2*t.rest))
	t.next = s.now().Add(t.rest/2 + rand.N(t.rest/2))
	return fmt.Errorf("kinesis: reading the end of shard %s: %w: %w", shard, ingest.ErrThrottled, err)
}
