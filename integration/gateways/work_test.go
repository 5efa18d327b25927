package gateways

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// place is where a message is.
type place struct {
	partition int32
	offset    int64
}

// work is what clients have sent and got. A message is the number of its key's messages before it.
type work struct {
	g *gateways

	mu    sync.Mutex
	acked map[string][]place // by key: of its messages
	seen  map[place]int      // by the group
	keys  map[string]int     // by key: how many of its messages the group has seen
	again int
	joins int
}

const (
	keysOfProducer = 200
	inFlight       = 100 // messages of a producer that are not acknowledged yet
)

func (w *work) total() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.acked {
		n += len(all)
	}
	return n
}

// produce sends messages until stop, and waits until all are acknowledged.
func (w *work) produce(stop context.Context, number int) {
	c := w.g.client(number, kgo.DefaultProduceTopic(topic), kgo.MaxBufferedRecords(inFlight), kgo.ProducerLinger(5*time.Millisecond))
	defer w.g.close(c)
	sent := map[string]int{}
	for i := 0; wait(stop, *every); i++ {
		key := fmt.Sprintf("%d-%d", number, i*7%keysOfProducer)
		n := sent[key]
		sent[key]++
		r := &kgo.Record{Key: []byte(key), Value: strconv.AppendInt(nil, int64(n), 10)}
		c.Produce(context.WithoutCancel(stop), r, func(r *kgo.Record, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if err != nil {
				w.g.Errorf("message %d of key %s: %v", n, key, err)
			} else if len(w.acked[key]) != n {
				w.g.Errorf("message %d of key %s is acknowledged after %d others", n, key, len(w.acked[key]))
			}
			w.acked[key] = append(w.acked[key], place{r.Partition, r.Offset})
		})
	}
	if err := c.Flush(context.WithoutCancel(stop)); err != nil {
		w.g.Error(err)
	}
}

// consume is one member of the group after the other, until done. Until stop, each of them leaves after some time. Those
// of odd numbers say nothing when they do: a static member that is closed does not, and its name does not come back.
func (w *work) consume(done, stop context.Context, number int) {
	for life := 0; done.Err() == nil; life++ {
		opts := []kgo.Opt{kgo.ConsumerGroup("group"), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(time.Second),
			kgo.RebalanceTimeout(10 * time.Second), kgo.FetchMaxWait(time.Second),
			kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.joins++
			})}
		if number%2 == 1 && stop.Err() == nil {
			opts = append(opts, kgo.InstanceID(fmt.Sprintf("static-%d-%d", number, life)))
		}
		c := w.g.client(number+life, opts...)
		living, leave := context.WithTimeout(done, time.Duration(8+3*number)*time.Second)
		if stop.Err() != nil {
			leave()
			living, leave = context.WithCancel(done)
		}
		for living.Err() == nil {
			if err := w.poll(living, c); err != nil && living.Err() == nil {
				w.g.Logf("consumer %d: %v", number, err)
			}
		}
		leave()
		w.g.close(c)
	}
}

// poll processes what there is, and commits it then.
func (w *work) poll(ctx context.Context, c *kgo.Client) error {
	got := c.PollRecords(ctx, 500)
	defer c.AllowRebalance()
	if ctx.Err() != nil {
		return errStopped
	}
	got.EachRecord(w.process)
	var failed error
	got.EachError(func(topic string, partition int32, err error) {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			failed = fmt.Errorf("%s/%d: %w", topic, partition, err)
		}
	})
	if got.NumRecords() == 0 {
		return failed
	}
	commit, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return errors.Join(failed, c.CommitUncommittedOffsets(commit))
}

func (w *work) process(r *kgo.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, key := place{r.Partition, r.Offset}, string(r.Key)
	if w.seen[at]++; w.seen[at] > 1 {
		w.again++
	}
	n, err := strconv.Atoi(string(r.Value))
	switch {
	case err != nil:
		w.g.Errorf("%v has the value %q", at, r.Value)
	case n > w.keys[key]:
		w.g.Errorf("the group gets message %d of key %s, at %v, after %d of them", n, key, at, w.keys[key])
	}
	w.keys[key] = max(w.keys[key], n+1)
}

// unseen is how many acknowledged messages the group has not got.
func (w *work) unseen() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.acked {
		for _, at := range all {
			if w.seen[at] == 0 {
				n++
			}
		}
	}
	return n
}

// verify reads the log from its beginning.
func (w *work) verify(ctx context.Context) {
	if n := w.unseen(); n > 0 {
		w.g.Errorf("the group has missed %d messages", n)
	}
	c := w.g.client(0, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer w.g.close(c)
	left, err := w.ends(ctx, c)
	if err != nil {
		w.g.Errorf("the ends of the log: %v", err)
		return
	}
	log := map[string][]place{}
	for len(left) > 0 && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			key := string(r.Key)
			if n := strconv.Itoa(len(log[key])); n != string(r.Value) {
				w.g.Errorf("the log has message %s of key %s at %d/%d, where message %s is due", r.Value, key, r.Partition, r.Offset, n)
			}
			log[key] = append(log[key], place{r.Partition, r.Offset})
		})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !maps.EqualFunc(log, w.acked, func(a, b []place) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		for key, all := range w.acked {
			if got := fmt.Sprint(log[key]); got != fmt.Sprint(all) {
				w.g.Errorf("key %s: %v were acknowledged, and the log has %v", key, all, got)
				break
			}
		}
	}
}

// ends are the ends of the partitions that have data.
func (w *work) ends(ctx context.Context, c *kgo.Client) (map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range int32(partitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	for _, p := range resp.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return nil, fmt.Errorf("partition %d: %w", p.Partition, err)
		}
		if p.Offset > 0 {
			ends[p.Partition] = p.Offset
		}
	}
	return ends, nil
}
