package kinesis

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/kafka/ingest"
)

// listEvery is how old the list of shards may be when the end of a key's shard is sought.
const listEvery = 30 * time.Second

// readLimit is the number of records of one read, at most.
const readLimit = 1000

// shard is a part of the stream: the records whose keys' hashes are in its range.
type shard struct {
	id         string
	parents    []string // those there were when it began, at most two
	start, end *big.Int // of the hashes, inclusive
}

func (s *Stream) list(ctx context.Context) ([]shard, error) {
	var shards []shard
	in := &kinesis.ListShardsInput{StreamName: &s.name}
	for {
		out, err := s.client.ListShards(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("kinesis: listing the shards: %w", err)
		}
		for _, sh := range out.Shards {
			one := shard{id: *sh.ShardId, start: new(big.Int), end: new(big.Int)}
			for _, p := range []*string{sh.ParentShardId, sh.AdjacentParentShardId} {
				if aws.ToString(p) != "" {
					one.parents = append(one.parents, *p)
				}
			}
			if r := sh.HashKeyRange; r != nil {
				one.start.SetString(aws.ToString(r.StartingHashKey), 10)
				one.end.SetString(aws.ToString(r.EndingHashKey), 10)
			}
			shards = append(shards, one)
		}
		if out.NextToken == nil {
			return shards, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken}
	}
}

// holding are the shards that hold or held a key, each after its parents.
func (s *Stream) holding(ctx context.Context, key string, anew bool) ([]shard, error) {
	s.mu.Lock()
	shards, listed := s.shards, s.listed
	s.mu.Unlock()
	if now := s.now(); anew || !listed.Within(listEvery, now) {
		var err error
		if shards, err = s.list(ctx); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.shards, s.listed = shards, fresh.At(now)
		s.mu.Unlock()
	}
	sum := md5.Sum([]byte(key))
	hash := new(big.Int).SetBytes(sum[:])
	var found []shard
	for _, sh := range shards { // listed by their ids, which ascend with their age
		if sh.start.Cmp(hash) <= 0 && hash.Cmp(sh.end) <= 0 {
			found = append(found, sh)
		}
	}
	return found, nil
}

// Tail implements ingest.Stream.
func (s *Stream) Tail(ctx context.Context, key string, since time.Time, handle func([]ingest.Delivery) error) error {
	seen := map[string]bool{}
	for fresh := false; ; fresh = true {
		shards, err := s.holding(ctx, key, fresh)
		if err != nil {
			return err
		}
		closed := false // the last shard: it has children by now
		for _, sh := range shards {
			if seen[sh.id] {
				continue
			}
			seen[sh.id] = true
			if closed, err = s.tailShard(ctx, sh, since, handle); err != nil {
				return err
			}
		}
		if !closed {
			return nil
		}
	}
}

// tailShard reads a shard from a time up to its end. It reports whether the shard is closed.
func (s *Stream) tailShard(ctx context.Context, sh shard, since time.Time, handle func([]ingest.Delivery) error) (closed bool, err error) {
	var it *string
	for first := true; first || it != nil; first = false {
		var out *kinesis.GetRecordsOutput
		err := s.tail(ctx, sh.id, func() error {
			if first {
				place, err := s.client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
					StreamName: &s.name, ShardId: &sh.id,
					ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: &since,
				})
				if err != nil {
					return fmt.Errorf("kinesis: finding a place in shard %s: %w", sh.id, err)
				}
				it = place.ShardIterator
			}
			var err error
			if out, err = s.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it, Limit: aws.Int32(readLimit)}); err != nil {
				return fmt.Errorf("kinesis: reading shard %s: %w", sh.id, err)
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		if records := deliveries(out); len(records) > 0 {
			if err := handle(records); err != nil {
				return false, err
			}
		}
		if it = out.NextShardIterator; it != nil && atEnd(len(out.Records), aws.ToInt64(out.MillisBehindLatest)) {
			return false, nil
		}
	}
	return true, nil
}

func (s *Stream) iterator(ctx context.Context, in *kinesis.GetShardIteratorInput) (*string, error) {
	for attempt := 1; ; attempt++ {
		out, err := s.client.GetShardIterator(ctx, in)
		if err == nil {
			return out.ShardIterator, nil
		}
		if !again(err) || !pause(ctx, attempt) {
			return nil, fmt.Errorf("kinesis: finding a place in shard %s: %w", *in.ShardId, err)
		}
	}
}

// read reads on at an iterator; next is nil at the end of a closed shard.
func (s *Stream) read(ctx context.Context, it *string) (records []ingest.Delivery, next *string, behindMs int64, err error) {
	for attempt := 1; ; attempt++ {
		out, err := s.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it, Limit: aws.Int32(readLimit)})
		if err != nil {
			if again(err) && pause(ctx, attempt) {
				continue
			}
			return nil, nil, 0, fmt.Errorf("kinesis: reading: %w", err)
		}
		return deliveries(out), out.NextShardIterator, aws.ToInt64(out.MillisBehindLatest), nil
	}
}

func deliveries(out *kinesis.GetRecordsOutput) (records []ingest.Delivery) {
	for _, r := range out.Records {
		records = append(records, ingest.Delivery{
			Record:   ingest.Record{Key: aws.ToString(r.PartitionKey), Data: r.Data},
			Sequence: aws.ToString(r.SequenceNumber),
			Arrived:  aws.ToTime(r.ApproximateArrivalTimestamp),
		})
	}
	return records
}

// atEnd reports whether a read has come to the end of what an open shard has. A read that is full has not, whatever is
// said of how far it is behind: kinesalite says 0 always.
func atEnd(records int, behindMs int64) bool { return behindMs == 0 && records < readLimit }

// again reports whether a read that failed may succeed later.
func again(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		return isThrottle(api.ErrorCode()) || api.ErrorFault() == smithy.FaultServer
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// Consume implements ingest.Stream.
func (s *Stream) Consume(ctx context.Context, handle func(context.Context, []ingest.Delivery) error) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	finished := make(chan string) // ids of shards
	running, done := map[string]bool{}, map[string]bool{}
	for {
		shards, err := s.list(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("the shards cannot be listed", "error", err)
		}
		there := map[string]bool{}
		for _, sh := range shards {
			there[sh.id] = true
		}
		for _, sh := range shards {
			ready := !running[sh.id]
			for _, p := range sh.parents {
				ready = ready && (done[p] || !there[p]) // those not there have expired
			}
			if !ready {
				continue
			}
			running[sh.id] = true
			readers.Go(func() {
				s.consumeShard(ctx, sh, handle)
				select {
				case finished <- sh.id:
				case <-ctx.Done():
				}
			})
		}
		timer := time.NewTimer(listEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case id := <-finished:
			done[id] = true
		case <-timer.C:
		}
		timer.Stop()
	}
}

// consumeShard hands over a shard's records until it ends, or the context does.
func (s *Stream) consumeShard(ctx context.Context, sh shard, handle func(context.Context, []ingest.Delivery) error) {
	after := "" // sequence number of the last record handled
	for ctx.Err() == nil {
		in := &kinesis.GetShardIteratorInput{StreamName: &s.name, ShardId: &sh.id, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
		if after != "" {
			in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &after
		}
		it, err := s.iterator(ctx, in)
		for err == nil && it != nil {
			var records []ingest.Delivery
			var behind int64
			if records, it, behind, err = s.read(ctx, it); err != nil {
				break
			}
			for len(records) > 0 && !s.handled(ctx, records, handle) {
				if ctx.Err() != nil {
					return
				}
			}
			if len(records) > 0 {
				after = records[len(records)-1].Sequence
			}
			if it != nil && atEnd(len(records), behind) && !sleep(ctx, s.pollEvery) {
				return
			}
		}
		if err == nil {
			return // the shard is closed and read
		}
		if ctx.Err() == nil {
			s.log.Error("a shard cannot be read", "shard", sh.id, "error", err)
			sleep(ctx, s.pollEvery)
		}
	}
}

// handled hands records over; if that fails, it waits.
func (s *Stream) handled(ctx context.Context, records []ingest.Delivery, handle func(context.Context, []ingest.Delivery) error) bool {
	err := handle(ctx, records)
	if err != nil && ctx.Err() == nil {
		s.log.Error("a shard's records are delivered again", "error", err)
		sleep(ctx, s.pollEvery)
	}
	return err == nil
}
