package wire_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/token"
)

// consumerJoin is a heartbeat of a member that joins.
func consumerJoin(group, member string, topics ...string) *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.RebalanceTimeoutMillis, req.SubscribedTopicNames = group, member, 10_000, topics
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	return req
}

// topicID is the id of a topic, as Metadata tells it.
func (b *broker) topicID(c *kgo.Client, topic string) [16]byte {
	b.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	return raw[*kmsg.MetadataResponse](b, c, req).Topics[0].TopicID
}

func TestConsumerProtocol(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	red := b.topicID(c, "red")

	got := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, consumerJoin("g", "m", "red"))
	if got.ErrorCode != 0 || got.MemberEpoch != 1 || got.HeartbeatIntervalMillis != 5000 || got.Assignment == nil || got.Assignment.Topics[0].TopicID != red || len(got.Assignment.Topics[0].Partitions) != 3 {
		t.Fatalf("joining: %+v", got)
	}
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Group, beat.MemberID, beat.MemberEpoch = "g", "m", 1
	if got := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, beat); got.ErrorCode != 0 || got.MemberEpoch != 1 || got.Assignment != nil {
		t.Errorf("a heartbeat without news: %+v", got)
	}
	beat.MemberEpoch = 7
	if got := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, beat); got.ErrorCode != kerr.FencedMemberEpoch.Code || got.ErrorMessage == nil {
		t.Errorf("another epoch: %+v", got)
	}
	if got := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, atVersion(consumerJoin("v0", "", "blue"), 0)); got.ErrorCode != 0 || len(*got.MemberID) != 22 {
		t.Errorf("a member without an id, version 0: %+v", got)
	}

	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{"g", "none"}
	described := raw[*kmsg.ConsumerGroupDescribeResponse](b, c, describe).Groups
	if d := described[0]; d.ErrorCode != 0 || d.State != "Stable" || d.Epoch != 1 || d.AssignorName != "uniform" || len(d.Members) != 1 ||
		d.Members[0].Assignment.TopicPartitions[0].TopicID != red || d.Members[0].MemberType != 1 {
		t.Errorf("described as %+v", d)
	}
	b.wantCode("describing a group that there is not", described[1].ErrorCode, kerr.GroupIDNotFound)
	classic := kmsg.NewPtrDescribeGroupsRequest()
	classic.Groups = []string{"g"}
	if d := raw[*kmsg.DescribeGroupsResponse](b, c, classic).Groups[0]; d.State != "Stable" || d.Protocol != "uniform" || len(d.Members) != 1 || len(d.Members[0].MemberAssignment) == 0 {
		t.Errorf("described in the classic way as %+v", d)
	}
	for kind, want := range map[string]int{"consumer": 2, "classic": 0} {
		list := kmsg.NewPtrListGroupsRequest()
		list.TypesFilter = []string{kind}
		if got := raw[*kmsg.ListGroupsResponse](b, c, list).Groups; len(got) != want || want > 0 && got[0].GroupType != kind {
			t.Errorf("groups of type %s: %+v", kind, got)
		}
	}
}

// The client for Java asks for the topics of its partitions by their ids, and sends empty names with them.
func TestMetadataByIDsBesideEmptyNames(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	red := b.topicID(c, "red")
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(""), TopicID: red}, {Topic: kmsg.StringPtr(""), TopicID: [16]byte{1}}}
	got := raw[*kmsg.MetadataResponse](b, c, req).Topics
	if got[0].ErrorCode != 0 || *got[0].Topic != "red" || len(got[0].Partitions) != 3 {
		t.Errorf("%+v", got[0])
	}
	b.wantCode("an id of no topic", got[1].ErrorCode, kerr.UnknownTopicID)
}

// Version 10 of OffsetCommit and OffsetFetch has ids of topics instead of names.
func TestOffsetsByIDsOfTopics(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	red, member := b.topicID(c, "red"), "m"
	epoch := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, consumerJoin("g", member, "red")).MemberEpoch
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.MemberID, commit.Generation = "g", member, epoch
	commit.Topics = []kmsg.OffsetCommitRequestTopic{
		{TopicID: red, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 1, Offset: 7}}},
		{TopicID: [16]byte{1}, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 1, Offset: 7}}},
	}
	got := raw[*kmsg.OffsetCommitResponse](b, c, atVersion(commit, 10))
	b.wantCode("a commit", got.Topics[0].Partitions[0].ErrorCode, nil)
	b.wantCode("a commit to no topic", got.Topics[1].Partitions[0].ErrorCode, kerr.UnknownTopicID)
	if got.Topics[0].TopicID != red {
		t.Errorf("topic %x, want %x", got.Topics[0].TopicID, red)
	}
	commit.Generation = epoch + 1
	b.wantCode("a commit of another epoch", raw[*kmsg.OffsetCommitResponse](b, c, atVersion(commit, 10)).Topics[0].Partitions[0].ErrorCode, kerr.StaleMemberEpoch)

	fetch := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group, group.MemberID, group.MemberEpoch = "g", &member, epoch
	group.Topics = []kmsg.OffsetFetchRequestGroupTopic{{TopicID: red, Partitions: []int32{1, 2}}, {TopicID: [16]byte{1}, Partitions: []int32{0}}}
	all := kmsg.NewOffsetFetchRequestGroup()
	all.Group = "g"
	stale := group
	stale.MemberEpoch = epoch + 1
	fetch.Groups = []kmsg.OffsetFetchRequestGroup{group, all, stale}
	of := raw[*kmsg.OffsetFetchResponse](b, c, atVersion(fetch, 10)).Groups
	if parts := of[0].Topics[0].Partitions; of[0].Topics[0].TopicID != red || parts[0].Offset != 7 || parts[1].Offset != -1 {
		t.Errorf("offsets of red: %+v", of[0].Topics[0])
	}
	b.wantCode("offsets of no topic", of[0].Topics[1].Partitions[0].ErrorCode, kerr.UnknownTopicID)
	if len(of[1].Topics) != 1 || of[1].Topics[0].TopicID != red || of[1].Topics[0].Partitions[0].Offset != 7 {
		t.Errorf("all offsets: %+v", of[1])
	}
	b.wantCode("offsets for another epoch", of[2].ErrorCode, kerr.StaleMemberEpoch)
}

// What a credential may consume bounds what its members read, named or matched, and whose group they may join.
func TestConsumerProtocolIsBoundedByCredentials(t *testing.T) {
	b := newBroker(t)
	other := b.client(b.mint(nil).plain())
	c := b.client(b.mint(func(claims *token.Claims) {
		claims.Topics = token.TopicRule{Topics: "blue", Permission: token.PermitAll}
	}).plain())
	beat := func(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
		return raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, req)
	}
	b.wantCode("a topic that is not the credential's", beat(consumerJoin("g", "m", "blue", "red")).ErrorCode, kerr.TopicAuthorizationFailed)
	all := consumerJoin("g", "m")
	all.SubscribedTopicNames, all.SubscribedTopicRegex = []string{}, kmsg.StringPtr(".*")
	if got := beat(all); got.ErrorCode != 0 || len(got.Assignment.Topics) != 1 || got.Assignment.Topics[0].TopicID != b.topicID(c, "blue") {
		t.Errorf("an expression that matches everything: %+v", got)
	}
	if got := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, other, consumerJoin("theirs", "x", "red")); got.ErrorCode != 0 {
		t.Fatalf("%+v", got)
	}
	b.wantCode("a group that reads another topic", beat(consumerJoin("theirs", "m", "blue")).ErrorCode, kerr.GroupAuthorizationFailed)
	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{"theirs"}
	b.wantCode("describing it", raw[*kmsg.ConsumerGroupDescribeResponse](b, c, describe).Groups[0].ErrorCode, kerr.GroupAuthorizationFailed)
	b.wantCode("its settings", b.setGroup(c, "theirs", "consumer.session.timeout.ms", "50000"), kerr.GroupAuthorizationFailed)
}

func (b *broker) setGroup(c *kgo.Client, group, name, value string) int16 {
	b.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}}
	req.Resources = append(req.Resources, r)
	return raw[*kmsg.IncrementalAlterConfigsResponse](b, c, req).Resources[0].ErrorCode
}

func TestSettingsOfGroups(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	for _, tt := range []struct {
		name, value string
		want        *kerr.Error
	}{
		{"consumer.heartbeat.interval.ms", "2000", nil},
		{"consumer.session.timeout.ms", "6000", nil},
		{"consumer.session.timeout.ms", "5999", kerr.InvalidConfig},
		{"consumer.session.timeout.ms", "x", kerr.InvalidConfig},
		{"consumer.heartbeat.interval.ms", "2001", kerr.InvalidConfig},
		{"consumer.heartbeat.interval.ms", "999", kerr.InvalidConfig},
		{"share.session.timeout.ms", "6000", kerr.InvalidConfig},
	} {
		b.wantCode(tt.name+"="+tt.value, b.setGroup(c, "g", tt.name, tt.value), tt.want)
	}
	reader := b.client(b.mint(func(claims *token.Claims) { claims.Scope = token.ReadOnly }).plain())
	b.wantCode("a setting by a credential that is read-only", b.setGroup(reader, "g", "consumer.session.timeout.ms", "7000"), kerr.GroupAuthorizationFailed)
	describe := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "g"
	describe.Resources = append(describe.Resources, r)
	got := raw[*kmsg.DescribeConfigsResponse](b, c, describe).Resources[0].Configs
	if len(got) != 2 || *got[0].Value != "2000" || *got[1].Value != "6000" || got[1].Source != kmsg.ConfigSourceGroupConfig {
		t.Errorf("%+v", got)
	}
	if got := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, consumerJoin("g", "m", "red")); got.HeartbeatIntervalMillis != 2000 {
		t.Errorf("a member is told %+v", got)
	}
	b.wantCode("a setting of a group with members", b.setGroup(c, "g", "consumer.heartbeat.interval.ms", "1500"), nil)
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Group, beat.MemberID, beat.MemberEpoch = "g", "m", 1
	if got := raw[*kmsg.ConsumerGroupHeartbeatResponse](b, c, beat); got.ErrorCode != 0 || got.HeartbeatIntervalMillis != 1500 {
		t.Errorf("a member is told %+v", got)
	}
}
