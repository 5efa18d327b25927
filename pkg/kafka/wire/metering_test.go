package wire_test

import (
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/meter"
)

// usage adds up what is recorded.
type usage struct {
	mu sync.Mutex
	m  map[string]meter.Record // by class
}

func (u *usage) Record(r meter.Record) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.m == nil {
		u.m = map[string]meter.Record{}
	}
	sum := u.m[r.Class]
	sum.Resource = r.Resource
	sum.Commands += r.Commands
	sum.BytesIn += r.BytesIn
	sum.BytesOut += r.BytesOut
	sum.WriteUnits += r.WriteUnits
	sum.Blocked = sum.Blocked || r.Blocked
	u.m[r.Class] = sum
}

func (u *usage) of(class string) meter.Record {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.m[class]
}

func TestRequestsAreCounted(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	b.fill(me, "red", 10)
	b.read(me.plain(), "red", 10)
	want := meter.Resource{Product: "kafka", ID: "c1"}
	if got := b.usage.of(meter.ClassProduce); got.Resource != want || got.Commands != 10 || got.BytesIn == 0 || got.WriteUnits == 0 {
		t.Errorf("produced: %+v", got)
	}
	if got := b.usage.of(meter.ClassFetch); got.Resource != want || got.Commands != 10 || got.BytesOut == 0 {
		t.Errorf("fetched: %+v", got)
	}
	if got := b.usage.of(meter.ClassAdmin); got.Resource != want || got.Commands != 0 {
		t.Errorf("all else: %+v", got)
	}
}

// A cluster that has reached a limit takes no messages, says why, and gives out none.
func TestBlockedCluster(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	c := b.client(me.plain(), kgo.RequestRetries(0))
	if err := b.engine.Block(t.Context(), b.cluster.ID, meter.Block{Until: time.Now().Add(time.Hour), Text: "max daily request limit exceeded"}); err != nil {
		t.Fatal(err)
	}
	p := kmsg.NewPtrProduceRequest()
	p.Acks = -1
	p.Topics = []kmsg.ProduceRequestTopic{{Topic: "blue", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: oneBatch(t)}}}}
	got := raw[*kmsg.ProduceResponse](b, c, p).Topics[0].Partitions[0]
	b.wantCode("Produce", got.ErrorCode, kerr.PolicyViolation)
	if got.ErrorMessage == nil || *got.ErrorMessage != "max daily request limit exceeded" {
		t.Errorf("%v", got.ErrorMessage)
	}
	f := kmsg.NewPtrFetchRequest()
	f.Topics = []kmsg.FetchRequestTopic{{Topic: "blue", Partitions: []kmsg.FetchRequestTopicPartition{{PartitionMaxBytes: 100, CurrentLeaderEpoch: -1}}}}
	if got := rawFetch(b, c, f); got.ThrottleMillis != 1000 || len(got.Topics[0].Partitions[0].RecordBatches) != 0 {
		t.Errorf("%+v", got)
	}
	if !b.usage.of(meter.ClassProduce).Blocked || !b.usage.of(meter.ClassFetch).Blocked {
		t.Error("it is not recorded as blocked")
	}
}
