package wire_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

// members are those of one group, with what they have read.
type members struct {
	*broker
	me    credential
	group string
	opts  []kgo.Opt

	mu   sync.Mutex
	seen map[string]int // by partition and offset: how often
}

// member reads and commits until its context ends. It leaves the group then.
func (g *members) member(ctx context.Context, opts ...kgo.Opt) {
	all := append([]kgo.Opt{
		kgo.ConsumerGroup(g.group), kgo.ConsumeTopics("red"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(200 * time.Millisecond), kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.SessionTimeout(6 * time.Second), kgo.RebalanceTimeout(10 * time.Second),
	}, append(g.opts, opts...)...)
	c := g.client(g.me.plain(), all...)
	for ctx.Err() == nil {
		fetches := c.PollFetches(ctx)
		g.mu.Lock()
		for _, r := range fetches.Records() {
			g.seen[fmt.Sprint(r.Partition, "/", r.Offset)]++
		}
		g.mu.Unlock()
		if fetches.NumRecords() > 0 {
			if err := c.CommitUncommittedOffsets(context.WithoutCancel(ctx)); err != nil {
				g.Logf("commit: %v", err)
			}
		}
		c.AllowRebalance()
	}
	c.Close()
}

// until waits until the group has read n messages.
func (g *members) until(n int) {
	g.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		g.mu.Lock()
		got := len(g.seen)
		g.mu.Unlock()
		if got >= n {
			return
		}
	}
	g.Fatalf("%d messages of %d", len(g.seen), n)
}

func (b *broker) fill(me credential, topic string, n int) {
	b.Helper()
	c := b.client(me.plain(), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	for i := range n {
		c.Produce(b.ctx(), kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := c.Flush(b.ctx()); err != nil {
		b.Fatal(err)
	}
}

// Members come and go, and the group reads everything.
func TestGroupOfClients(t *testing.T) {
	for name, opts := range map[string][]kgo.Opt{
		"eager":       {kgo.Balancers(kgo.RangeBalancer())},
		"cooperative": {kgo.Balancers(kgo.CooperativeStickyBalancer())},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroker(t)
			g := &members{broker: b, me: b.mint(nil), group: "g", opts: opts, seen: map[string]int{}}
			var running sync.WaitGroup
			var stops []context.CancelFunc
			join := func() {
				ctx, stop := context.WithCancel(t.Context())
				stops = append(stops, stop)
				running.Go(func() { g.member(ctx) })
			}
			join()
			b.fill(g.me, "red", 30)
			g.until(30)
			join()
			join()
			b.fill(g.me, "red", 30)
			g.until(60)
			stops[0]()
			b.fill(g.me, "red", 30)
			g.until(90)
			stops[1]()
			stops[2]()
			running.Wait()
			c := b.client(g.me.plain())
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Group = "g"
			got := raw[*kmsg.OffsetFetchResponse](b, c, atVersion(req, 7))
			sum := int64(0)
			for _, p := range got.Topics[0].Partitions {
				sum += p.Offset
			}
			if sum != 90 {
				t.Errorf("%d offsets are committed: %+v", sum, got)
			}
		})
	}
}

// atVersion makes a request that is sent in a version.
func atVersion[R kmsg.Request](req R, version int16) kmsg.Request {
	req.SetVersion(version)
	return pinned{req}
}

// pinned is a request that has no newer version.
type pinned struct{ kmsg.Request }

func (p pinned) MaxVersion() int16 { return p.GetVersion() }

func TestGroupsAreListedDescribedAndDeleted(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	g := &members{broker: b, me: me, group: "g", seen: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.member(ctx, kgo.InstanceID("static")) })
	b.fill(me, "red", 3)
	g.until(3)
	c := b.client(me.plain())
	list := raw[*kmsg.ListGroupsResponse](b, c, kmsg.NewPtrListGroupsRequest())
	if len(list.Groups) != 1 || list.Groups[0].Group != "g" || list.Groups[0].ProtocolType != "consumer" || list.Groups[0].GroupState != "Stable" {
		t.Errorf("%+v", list)
	}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{"g", "none"}
	got := raw[*kmsg.DescribeGroupsResponse](b, c, atVersion(describe, 5)).Groups
	if got[0].State != "Stable" || len(got[0].Members) != 1 || *got[0].Members[0].InstanceID != "static" || got[0].Members[0].ClientHost != "/127.0.0.1" {
		t.Errorf("%+v", got[0])
	}
	if got[1].State != "Dead" || got[1].ErrorCode != 0 {
		t.Errorf("%+v", got[1])
	}
	describe.Version = 6
	b.wantCode("a description of no group", raw[*kmsg.DescribeGroupsResponse](b, c, describe).Groups[1].ErrorCode, kerr.GroupIDNotFound)
	remove := kmsg.NewPtrDeleteGroupsRequest()
	remove.Groups = []string{"g"}
	b.wantCode("deletion of a group with members", raw[*kmsg.DeleteGroupsResponse](b, c, remove).Groups[0].ErrorCode, kerr.NonEmptyGroup)
	stop()
	running.Wait()
	leave := kmsg.NewPtrLeaveGroupRequest()
	instance := "static"
	leave.Group, leave.Members = "g", []kmsg.LeaveGroupRequestMember{{InstanceID: &instance}}
	b.wantCode("leaving", raw[*kmsg.LeaveGroupResponse](b, c, leave).Members[0].ErrorCode, nil)
	b.wantCode("deletion", raw[*kmsg.DeleteGroupsResponse](b, c, remove).Groups[0].ErrorCode, nil)
	b.wantCode("deletion again", raw[*kmsg.DeleteGroupsResponse](b, c, remove).Groups[0].ErrorCode, kerr.GroupIDNotFound)
}

// A credential uses the groups of its rule, and none that reads what it may not read.
func TestGroupsAreBoundedByCredentials(t *testing.T) {
	b := newBroker(t)
	b.topic("app.in", kafka.TopicOptions{})
	all := b.mint(nil)
	app := b.mint(func(c *token.Claims) {
		c.Topics, c.Groups = token.TopicRule{Permission: token.PermitConsume, Topics: "app.*"}, "app.*"
	})
	g := &members{broker: b, me: all, group: "app.g", seen: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.member(ctx) }) // it reads red
	defer running.Wait()
	defer stop()
	b.fill(all, "red", 3)
	g.until(3)
	c := b.client(app.plain())
	code := map[string]int16{}
	join := func(group, topic string) int16 {
		req := kmsg.NewPtrJoinGroupRequest()
		meta := kmsg.ConsumerMemberMetadata{Topics: []string{topic}}
		req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = group, 10_000, 1000, "consumer"
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: meta.AppendTo(nil)}}
		return raw[*kmsg.JoinGroupResponse](b, c, req).ErrorCode
	}
	code["join another's group"] = join("other", "app.in")
	code["join a group that reads red"] = join("app.g", "app.in")
	code["join for red"] = join("app.mine", "red")
	for name, group := range map[string]string{"another's group": "other", "a group that reads red": "app.g"} {
		commit := kmsg.NewPtrOffsetCommitRequest()
		commit.Group, commit.Generation = group, -1
		commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "app.in", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}
		code["commit to "+name] = raw[*kmsg.OffsetCommitResponse](b, c, commit).Topics[0].Partitions[0].ErrorCode
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Group = group
		code["offsets of "+name] = raw[*kmsg.OffsetFetchResponse](b, c, atVersion(fetch, 7)).ErrorCode
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group = group
		code["heartbeat in "+name] = raw[*kmsg.HeartbeatResponse](b, c, beat).ErrorCode
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = group
		code["leave "+name] = raw[*kmsg.LeaveGroupResponse](b, c, leave).ErrorCode
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group = group
		code["sync in "+name] = raw[*kmsg.SyncGroupResponse](b, c, sync).ErrorCode
		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Groups = []string{group}
		code["describe "+name] = raw[*kmsg.DescribeGroupsResponse](b, c, describe).Groups[0].ErrorCode
		remove := kmsg.NewPtrDeleteGroupsRequest()
		remove.Groups = []string{group}
		code["delete "+name] = raw[*kmsg.DeleteGroupsResponse](b, c, remove).Groups[0].ErrorCode
		forget := kmsg.NewPtrOffsetDeleteRequest()
		forget.Group = group
		code["delete offsets of "+name] = raw[*kmsg.OffsetDeleteResponse](b, c, forget).ErrorCode
	}
	for _, what := range slices.Sorted(maps.Keys(code)) {
		b.wantCode(what, code[what], kerr.GroupAuthorizationFailed)
	}
	if list := raw[*kmsg.ListGroupsResponse](b, c, kmsg.NewPtrListGroupsRequest()); len(list.Groups) != 0 {
		t.Errorf("%+v is listed", list.Groups)
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "app.mine", -1
	meta := "m"
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "app.in", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 7, Metadata: &meta}}}, {Topic: "red", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{}}}}
	got := raw[*kmsg.OffsetCommitResponse](b, c, atVersion(commit, 9))
	b.wantCode("a commit", got.Topics[0].Partitions[0].ErrorCode, nil)
	b.wantCode("a commit to red", got.Topics[1].Partitions[0].ErrorCode, kerr.TopicAuthorizationFailed)
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Group = "app.mine"
	if all := raw[*kmsg.OffsetFetchResponse](b, c, atVersion(fetch, 7)); len(all.Topics) != 1 || all.Topics[0].Partitions[0].Offset != 7 || *all.Topics[0].Partitions[0].Metadata != "m" {
		t.Errorf("%+v", all)
	}
	many := kmsg.NewPtrOffsetFetchRequest()
	for _, name := range []string{"app.mine", "other"} {
		one := kmsg.NewOffsetFetchRequestGroup()
		one.Group = name
		many.Groups = append(many.Groups, one)
	}
	of := raw[*kmsg.OffsetFetchResponse](b, c, atVersion(many, 9)).Groups
	b.wantCode("offsets of mine, among several", of[0].ErrorCode, nil)
	b.wantCode("offsets of another's, among several", of[1].ErrorCode, kerr.GroupAuthorizationFailed)
	if len(of[0].Topics) != 1 || of[0].Topics[0].Partitions[0].Offset != 7 || len(of[1].Topics) != 0 {
		t.Errorf("%+v", of)
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{"app.mine", "other"}
	at := raw[*kmsg.FindCoordinatorResponse](b, c, atVersion(find, 6)).Coordinators
	b.wantCode("the coordinator of mine", at[0].ErrorCode, nil)
	b.wantCode("the coordinator of another's", at[1].ErrorCode, kerr.GroupAuthorizationFailed)
}

func TestCoordinators(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	find := func(kind int8) *kmsg.FindCoordinatorResponse {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorType = "x", kind
		return raw[*kmsg.FindCoordinatorResponse](b, c, atVersion(req, 3))
	}
	if got := find(0); got.ErrorCode != 0 || fmt.Sprint(got.Host, ":", got.Port) != b.addr {
		t.Errorf("%+v", got)
	}
	b.wantCode("of transactions", find(1).ErrorCode, kerr.TransactionalIDAuthorizationFailed)
	b.wantCode("of shares", find(2).ErrorCode, kerr.InvalidRequest)
}

// A group goes from REST to clients of the protocol and back, at the committed offsets.
func TestGroupIsHandedOver(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	o := kafka.InstanceOptions{AutoCommit: true, AutoCommitInterval: time.Second, SessionTimeout: 10 * time.Second, Reset: kafka.ResetEarliest}
	b.fill(me, "red", 10)
	rest := func(want int) {
		t.Helper()
		got := 0
		for end := time.Now().Add(10 * time.Second); got < want && time.Now().Before(end); {
			ms, err := b.engine.Consume(b.ctx(), b.cluster, "g", "one", []string{"red"}, o, 100*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			got += len(ms)
		}
		if ms, err := b.engine.Consume(b.ctx(), b.cluster, "g", "one", []string{"red"}, o, 0); err != nil || got != want || len(ms) > 0 {
			t.Errorf("REST reads %d messages, want %d, and then %d: %v", got, want, len(ms), err)
		}
	}
	rest(10)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = "g", 10_000, 1000, "consumer"
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: (&kmsg.ConsumerMemberMetadata{Topics: []string{"red"}}).AppendTo(nil)}}
	c := b.client(me.plain())
	b.wantCode("JoinGroup while REST reads", raw[*kmsg.JoinGroupResponse](b, c, join).ErrorCode, kerr.InconsistentGroupProtocol)
	if err := b.engine.DeleteInstance(t.Context(), b.cluster, "g", "one"); err != nil {
		t.Fatal(err)
	}
	b.fill(me, "red", 10)
	g := &members{broker: b, me: me, group: "g", seen: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.member(ctx) })
	g.until(10)
	if _, err := b.engine.Consume(b.ctx(), b.cluster, "g", "one", []string{"red"}, o, 0); err == nil {
		t.Error("REST joins a group of clients")
	}
	stop()
	running.Wait()
	if len(g.seen) != 10 {
		t.Errorf("the client reads %d messages", len(g.seen))
	}
	b.fill(me, "red", 10)
	rest(10)
}
