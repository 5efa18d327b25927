package wire_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

// Names and ids of another cluster's topics and groups open nothing there, in no request that has any.
func TestClustersDoNotReachEachOther(t *testing.T) {
	b := newBroker(t)
	other, err := b.engine.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "c2", Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	b.topic("hers", kafka.TopicOptions{})
	alice := b.mint(nil)
	hers := b.client(alice.plain())
	b.fill(alice, "hers", 5)
	bob := b.mint(func(c *token.Claims) { c.Resource, c.Generation = other.ID, other.CredentialGeneration })
	his := b.client(bob.plain())

	commit := func(c *kgo.Client, offset int64) int16 {
		r := kmsg.NewPtrOffsetCommitRequest()
		r.Group, r.Generation = "her-group", -1
		r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "hers", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1}}}}
		return raw[*kmsg.OffsetCommitResponse](b, c, atVersion(r, 7)).Topics[0].Partitions[0].ErrorCode
	}
	b.wantCode("her commit", commit(hers, 3), nil)
	metadata := kmsg.NewPtrMetadataRequest()
	var hersID [16]byte
	for _, topic := range do[*kmsg.MetadataResponse](b, hers, metadata).Topics {
		if *topic.Topic == "hers" {
			hersID = topic.TopicID
		}
	}
	if hersID == [16]byte{} {
		t.Fatal("her topic has no id")
	}
	offsets := kmsg.NewPtrOffsetFetchRequest()
	offsets.Group = "her-group"
	end := kmsg.NewPtrListOffsetsRequest()
	end.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "hers", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
	state := func() string {
		committed := raw[*kmsg.OffsetFetchResponse](b, hers, atVersion(offsets, 7)).Topics
		if len(committed) != 1 || len(committed[0].Partitions) != 1 {
			t.Fatalf("her group has %+v", committed)
		}
		settings := b.configs(hers, "hers", "retention.ms")
		return fmt.Sprint(committed[0].Partitions[0].Offset, raw[*kmsg.ListOffsetsResponse](b, hers, end).Topics[0].Partitions[0].Offset, settings, len(do[*kmsg.MetadataResponse](b, hers, metadata).Topics))
	}
	before := state()

	name, group := "hers", "her-group"
	fetch := kmsg.NewPtrFetchRequest()
	fetch.MaxBytes, fetch.Topics = 1000, []kmsg.FetchRequestTopic{{Topic: name, Partitions: []kmsg.FetchRequestTopicPartition{{PartitionMaxBytes: 100, CurrentLeaderEpoch: -1}}}}
	produce := kmsg.NewPtrProduceRequest()
	produce.Acks, produce.TimeoutMillis = -1, 5000
	produce.Topics = []kmsg.ProduceRequestTopic{{Topic: name, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: oneBatch(t)}}}}
	remove := kmsg.NewPtrDeleteRecordsRequest()
	remove.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: name, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 5}}}}
	epoch := kmsg.NewPtrOffsetForLeaderEpochRequest()
	epoch.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: name, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
	enlarge := kmsg.NewPtrCreatePartitionsRequest()
	enlarge.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: name, Count: 2}}
	ms := "1"
	alter := kmsg.NewPtrAlterConfigsRequest()
	alter.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name, Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &ms}}}}
	forget := kmsg.NewPtrOffsetDeleteRequest()
	forget.Group, forget.Topics = group, []kmsg.OffsetDeleteRequestTopic{{Topic: name, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
	drop := kmsg.NewPtrDeleteGroupsRequest()
	drop.Groups = []string{group}
	byName, byID := kmsg.NewPtrDeleteTopicsRequest(), kmsg.NewPtrDeleteTopicsRequest()
	byName.Topics, byID.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &name}}, []kmsg.DeleteTopicsRequestTopic{{TopicID: hersID}}
	asked := kmsg.NewPtrMetadataRequest()
	asked.Topics = []kmsg.MetadataRequestTopic{{TopicID: hersID}}
	for what, code := range map[string]int16{
		"Fetch":                rawFetch(b, his, fetch).Topics[0].Partitions[0].ErrorCode,
		"Produce":              raw[*kmsg.ProduceResponse](b, his, produce).Topics[0].Partitions[0].ErrorCode,
		"ListOffsets":          raw[*kmsg.ListOffsetsResponse](b, his, end).Topics[0].Partitions[0].ErrorCode,
		"DeleteRecords":        raw[*kmsg.DeleteRecordsResponse](b, his, remove).Topics[0].Partitions[0].ErrorCode,
		"OffsetForLeaderEpoch": raw[*kmsg.OffsetForLeaderEpochResponse](b, his, atVersion(epoch, 4)).Topics[0].Partitions[0].ErrorCode,
		"OffsetCommit":         commit(his, 0),
		"CreatePartitions":     raw[*kmsg.CreatePartitionsResponse](b, his, enlarge).Topics[0].ErrorCode,
		"AlterConfigs":         raw[*kmsg.AlterConfigsResponse](b, his, alter).Resources[0].ErrorCode,
		"DeleteTopics":         raw[*kmsg.DeleteTopicsResponse](b, his, atVersion(byName, 6)).Topics[0].ErrorCode,
		"DeleteTopics by id":   raw[*kmsg.DeleteTopicsResponse](b, his, atVersion(byID, 6)).Topics[0].ErrorCode,
		"Metadata by id":       raw[*kmsg.MetadataResponse](b, his, atVersion(asked, 11)).Topics[0].ErrorCode,
	} {
		if code == 0 {
			t.Errorf("%s succeeds", what)
		}
	}
	// A group of that name may be his own.
	raw[*kmsg.OffsetDeleteResponse](b, his, forget)
	raw[*kmsg.DeleteGroupsResponse](b, his, drop)
	if got := raw[*kmsg.OffsetFetchResponse](b, his, atVersion(offsets, 7)).Topics; len(got) > 0 {
		t.Errorf("he sees her offsets: %+v", got)
	}
	if got := do[*kmsg.MetadataResponse](b, his, metadata).Topics; len(got) > 0 {
		t.Errorf("he sees her topics: %+v", got)
	}
	if got := raw[*kmsg.ListGroupsResponse](b, his, kmsg.NewPtrListGroupsRequest()).Groups; len(got) > 0 {
		t.Errorf("he sees her groups: %+v", got)
	}
	if after := state(); before != after {
		t.Errorf("her cluster was %s and is %s", before, after)
	}
}
