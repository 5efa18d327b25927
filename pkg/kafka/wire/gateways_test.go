package wire_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/wire"
)

// gateways are three servers over one store, with slots 0 to 2. The first is the broker's own engine.
type gateways struct {
	*broker
	addrs []string
	leave []func() // gives a gateway's slot back
}

func newGateways(t *testing.T) *gateways {
	g := &gateways{}
	var listeners []net.Listener
	var own []*kafka.Gateway
	for slot := range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, own = append(listeners, l), append(own, &kafka.Gateway{Slot: slot, Plain: l.Addr().String()})
		g.addrs = append(g.addrs, l.Addr().String())
	}
	g.broker = newBroker(t)
	for slot, l := range listeners {
		engine := kafka.New(kafka.Config{Store: g.backend.Store, Stream: g.backend.Stream})
		server := wire.New(wire.Config{Engine: engine, Verifier: g.backend.Verifier, Gateway: own[slot]})
		address, err := wire.AddressOf(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		var work sync.WaitGroup
		work.Go(func() { engine.KeepSlot(ctx, *own[slot]) })
		work.Go(func() {
			if err := server.Serve(l, address); err != nil {
				t.Error(err)
			}
		})
		g.leave = append(g.leave, stop)
		t.Cleanup(func() {
			stop()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			engine.Close()
			server.Close(ctx)
			work.Wait()
		})
	}
	g.until("three gateways hold their slots", func() bool { return g.slots() == 3 })
	return g
}

func (g *gateways) slots() int {
	all, err := g.engine.Gateways(g.Context())
	if err != nil {
		g.Fatal(err)
	}
	return len(all)
}

func (g *gateways) until(what string, ok func() bool) {
	g.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.Fatalf("not after 30 seconds: %s", what)
		}
	}
}

// ask sends a request to one of the gateways.
func ask[Resp kmsg.Response](g *gateways, c *kgo.Client, slot int, req kmsg.Request) Resp {
	g.Helper()
	resp, err := c.Broker(slot).RetriableRequest(g.ctx(), req)
	if err != nil {
		g.Fatal(err)
	}
	return resp.(Resp)
}

func TestGatewaysNameTheOneThatOwnsAGroup(t *testing.T) {
	g := newGateways(t)
	c := g.client(g.mint(nil).plain(), kgo.SeedBrokers(g.addrs...))
	if err := c.Ping(g.ctx()); err != nil {
		t.Fatal(err)
	}
	owners := map[int32]int{}
	for i := range 30 {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKeys, req.CoordinatorKey = []string{fmt.Sprint("group", i)}, fmt.Sprint("group", i)
		var first kmsg.FindCoordinatorResponseCoordinator
		for slot := range 3 {
			got := ask[*kmsg.FindCoordinatorResponse](g, c, slot, req).Coordinators[0]
			if slot == 0 {
				first = got
			}
			if got.NodeID != first.NodeID || net.JoinHostPort(got.Host, strconv.Itoa(int(got.Port))) != g.addrs[got.NodeID] {
				t.Errorf("gateway %d names %d at %s:%d, gateway 0 names %d", slot, got.NodeID, got.Host, got.Port, first.NodeID)
			}
		}
		owners[first.NodeID]++
	}
	if len(owners) != 3 {
		t.Errorf("of 30 groups the gateways have %v", owners)
	}

	// A gateway that ends is not named any more; what it had goes to others, and what they had stays.
	g.leave[1]()
	g.until("gateway 1 has given its slot back", func() bool { return g.slots() == 2 })
	meta := ask[*kmsg.MetadataResponse](g, c, 0, kmsg.NewPtrMetadataRequest())
	if len(meta.Brokers) != 2 || meta.Brokers[0].NodeID != 0 || meta.Brokers[1].NodeID != 2 {
		t.Errorf("brokers %+v, want 0 and 2", meta.Brokers)
	}
}

func TestGatewaysShareTheLeadOfPartitions(t *testing.T) {
	g := newGateways(t)
	g.topic("wide", kafka.TopicOptions{Partitions: 30})
	c := g.client(g.mint(nil).plain(), kgo.SeedBrokers(g.addrs...))
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("wide")}}
	if err := c.Ping(g.ctx()); err != nil {
		t.Fatal(err)
	}
	led := map[int32]int{}
	for _, p := range ask[*kmsg.MetadataResponse](g, c, 0, req).Topics[0].Partitions {
		led[p.Leader]++
		if len(p.Replicas) != 1 || p.Replicas[0] != p.Leader || p.ISR[0] != p.Leader {
			t.Errorf("partition %d: leader %d, replicas %v", p.Partition, p.Leader, p.Replicas)
		}
	}
	if len(led) != 3 {
		t.Errorf("of 30 partitions the gateways lead %v", led)
	}
	// Each says of its own what they take.
	counted := 0
	for slot := range 3 {
		dirs := ask[*kmsg.DescribeLogDirsResponse](g, c, slot, &kmsg.DescribeLogDirsRequest{Topics: []kmsg.DescribeLogDirsRequestTopic{{Topic: "wide"}}})
		if n := len(dirs.Dirs[0].Topics[0].Partitions); n != led[int32(slot)] {
			t.Errorf("gateway %d tells of %d partitions, and leads %d", slot, n, led[int32(slot)])
		} else {
			counted += n
		}
	}
	if counted != 30 {
		t.Errorf("the gateways tell of %d partitions, want 30", counted)
	}
}

// A group works whichever gateway its members talk to, by either protocol, and one that is reached by another's name serves.
func TestGatewaysServeUnderOthersNames(t *testing.T) {
	for name, opts := range map[string][]kgo.Opt{
		"classic":  nil,
		"consumer": {kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer()},
	} {
		t.Run(name, func(t *testing.T) { gatewaysServeAGroup(newGateways(t), opts) })
	}
}

func gatewaysServeAGroup(g *gateways, opts []kgo.Opt) {
	m := g.mint(nil).plain()
	if opts != nil {
		c := g.client(m, kgo.SeedBrokers(g.addrs...))
		if err := c.Ping(g.ctx()); err != nil {
			g.Fatal(err)
		}
		g.until("heartbeats are a second apart", func() bool {
			set := kmsg.NewPtrIncrementalAlterConfigsRequest()
			r := kmsg.NewIncrementalAlterConfigsRequestResource()
			r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "readers"
			r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "consumer.heartbeat.interval.ms", Value: kmsg.StringPtr("1000")}}
			set.Resources = append(set.Resources, r)
			return ask[*kmsg.IncrementalAlterConfigsResponse](g, c, 0, set).Resources[0].ErrorCode == 0
		})
	}
	var members []*kgo.Client
	for slot := range 3 {
		// Whatever address a member is told, it comes to the same gateway.
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, g.addrs[slot])
		}
		members = append(members, g.client(m, append([]kgo.Opt{kgo.Dialer(dial), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("red"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second)}, opts...)...))
	}
	producer := g.client(m, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for p := range int32(3) {
		if err := producer.ProduceSync(g.ctx(), &kgo.Record{Topic: "red", Partition: p, Value: []byte("v")}).FirstErr(); err != nil {
			g.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(g.ctx())
	defer cancel()
	var mu sync.Mutex
	read := map[int32]bool{}
	for _, c := range members {
		go func() {
			for ctx.Err() == nil {
				c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
					mu.Lock()
					defer mu.Unlock()
					read[r.Partition] = true
				})
			}
		}()
	}
	g.until("all is read, and each member has a partition", func() bool {
		mu.Lock()
		defer mu.Unlock()
		d, err := g.engine.DescribeGroups(ctx, g.cluster, []string{"readers"})
		if err != nil {
			g.Fatal(err)
		}
		return len(read) == 3 && d[0].State == kafka.StateStable && len(d[0].Members) == 3 && d[0].Consumers == (opts != nil)
	})
}
