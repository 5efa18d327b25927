package wire_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

// wantCode checks an error code.
func (b *broker) wantCode(what string, got int16, want *kerr.Error) {
	b.Helper()
	code := int16(0)
	if want != nil {
		code = want.Code
	}
	if got != code {
		b.Errorf("%s: %v, want %v", what, kerr.ErrorForCode(got), want)
	}
}

// do sends a request and returns its answer.
func do[Resp kmsg.Response](b *broker, c *kgo.Client, req kmsg.Request) Resp {
	b.Helper()
	resp, err := c.Request(b.ctx(), req)
	if err != nil {
		b.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), err)
	}
	return resp.(Resp)
}

func (b *broker) create(c *kgo.Client, topic string, partitions int32, configs ...string) int16 {
	b.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 3
	for i := 0; i < len(configs); i += 2 {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: configs[i], Value: &configs[i+1]})
	}
	req.Topics = append(req.Topics, t)
	return do[*kmsg.CreateTopicsResponse](b, c, req).Topics[0].ErrorCode
}

func (b *broker) configs(c *kgo.Client, topic string, names ...string) map[string]string {
	b.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic, ConfigNames: names}}
	out := map[string]string{}
	for _, c := range do[*kmsg.DescribeConfigsResponse](b, c, req).Resources[0].Configs {
		out[c.Name] = *c.Value
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
			out[c.Name] += " (own)"
		}
	}
	return out
}

func TestTopicsAreMadeAndChanged(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	b.wantCode("a topic", b.create(c, "green", 2, "retention.ms", "60000", "segment.ms", "1000"), nil)
	b.wantCode("again", b.create(c, "green", 2), kerr.TopicAlreadyExists)
	b.wantCode("a bad name", b.create(c, "gr/een", 1), kerr.InvalidTopicException)
	b.wantCode("no partitions", b.create(c, "g", 0), kerr.InvalidPartitions)
	b.wantCode("too many partitions", b.create(c, "g", 1000), kerr.PolicyViolation)
	b.wantCode("an unknown setting", b.create(c, "g", 1, "colour", "red"), kerr.InvalidConfig)
	b.wantCode("a bad value", b.create(c, "g", 1, "retention.ms", "long"), kerr.InvalidConfig)
	b.wantCode("times of the broker", b.create(c, "g", 1, "message.timestamp.type", "LogAppendTime"), kerr.InvalidConfig)

	got := b.configs(c, "green", "retention.ms", "segment.ms", "cleanup.policy")
	if got["retention.ms"] != "60000 (own)" || got["segment.ms"] != "1000 (own)" || got["cleanup.policy"] != "delete" || len(got) != 3 {
		t.Errorf("%v", got)
	}
	if all := b.configs(c, "green"); len(all) != 26 {
		t.Errorf("%d settings: %v", len(all), all)
	}

	parts := kmsg.NewPtrCreatePartitionsRequest()
	parts.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "green", Count: 4}}
	b.wantCode("more partitions", do[*kmsg.CreatePartitionsResponse](b, c, parts).Topics[0].ErrorCode, nil)
	b.wantCode("as many", do[*kmsg.CreatePartitionsResponse](b, c, parts).Topics[0].ErrorCode, kerr.InvalidPartitions)

	del := kmsg.NewPtrDeleteTopicsRequest()
	name := "green"
	del.TopicNames, del.Topics = []string{name}, []kmsg.DeleteTopicsRequestTopic{{Topic: &name}}
	b.wantCode("deletion", do[*kmsg.DeleteTopicsResponse](b, c, del).Topics[0].ErrorCode, nil)
	b.wantCode("deletion again", do[*kmsg.DeleteTopicsResponse](b, c, del).Topics[0].ErrorCode, kerr.UnknownTopicOrPartition)
}

func TestSettingsAreChangedOneByOneOrAllAtOnce(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	edit := func(name string, op kmsg.IncrementalAlterConfigOp, value string) int16 {
		t.Helper()
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, "red"
		r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Op: op, Value: &value}}
		req.Resources = append(req.Resources, r)
		return do[*kmsg.IncrementalAlterConfigsResponse](b, c, req).Resources[0].ErrorCode
	}
	b.wantCode("SET", edit("retention.ms", kmsg.IncrementalAlterConfigOpSet, "-1"), nil)
	b.wantCode("SET of another", edit("flush.ms", kmsg.IncrementalAlterConfigOpSet, "5"), nil)
	b.wantCode("APPEND", edit("cleanup.policy", kmsg.IncrementalAlterConfigOpAppend, "compact"), nil)
	b.wantCode("a bad SET", edit("retention.ms", kmsg.IncrementalAlterConfigOpSet, "x"), kerr.InvalidConfig)
	got := b.configs(c, "red", "retention.ms", "flush.ms", "cleanup.policy")
	if got["retention.ms"] != "-1 (own)" || got["flush.ms"] != "5 (own)" || got["cleanup.policy"] != "compact,delete (own)" {
		t.Errorf("%v", got)
	}
	b.wantCode("SUBTRACT", edit("cleanup.policy", kmsg.IncrementalAlterConfigOpSubtract, "compact"), nil)
	b.wantCode("DELETE", edit("flush.ms", kmsg.IncrementalAlterConfigOpDelete, ""), nil)
	if got := b.configs(c, "red", "flush.ms", "cleanup.policy"); strings.Contains(got["flush.ms"]+got["cleanup.policy"], "own") {
		t.Errorf("%v", got)
	}
	req := kmsg.NewPtrAlterConfigsRequest()
	max := "5000"
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, "red"
	r.Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: "max.message.bytes", Value: &max}}
	req.Resources = append(req.Resources, r)
	b.wantCode("AlterConfigs", do[*kmsg.AlterConfigsResponse](b, c, req).Resources[0].ErrorCode, nil)
	if got := b.configs(c, "red", "retention.ms", "max.message.bytes"); got["retention.ms"] != "604800000" || got["max.message.bytes"] != "5000 (own)" {
		t.Errorf("%v", got)
	}
	topic, err := b.engine.Topic(t.Context(), b.cluster, "red")
	if err != nil || topic.MaxMessageBytes != 5000 || topic.Retention != kafka.DefaultRetention || topic.Partitions != 3 {
		t.Errorf("%+v, %v", topic, err)
	}
}

func TestRecordsAreDeletedByOffset(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	c := b.client(me.plain(), kgo.DefaultProduceTopic("blue"))
	for range 5 {
		if err := c.ProduceSync(b.ctx(), kgo.StringRecord("v")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	b.read(me.plain(), "blue", 5)
	delete := func(offset int64) kmsg.DeleteRecordsResponseTopicPartition {
		t.Helper()
		req := kmsg.NewPtrDeleteRecordsRequest()
		topic := kmsg.NewDeleteRecordsRequestTopic()
		topic.Topic, topic.Partitions = "blue", []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: offset}}
		req.Topics = append(req.Topics, topic)
		return do[*kmsg.DeleteRecordsResponse](b, c, req).Topics[0].Partitions[0]
	}
	if got := delete(3); got.LowWatermark != 3 || got.ErrorCode != 0 {
		t.Errorf("%+v", got)
	}
	b.wantCode("beyond the end", delete(9).ErrorCode, kerr.OffsetOutOfRange)
	if got := b.read(me.plain(), "blue", 2); got[0].Offset != 3 {
		t.Errorf("reading begins at %d", got[0].Offset)
	}
	if got := delete(-1); got.LowWatermark != 5 {
		t.Errorf("%+v", got)
	}
	dirs := do[*kmsg.DescribeLogDirsResponse](b, c, kmsg.NewPtrDescribeLogDirsRequest()).Dirs
	if len(dirs) != 1 || len(dirs[0].Topics) != 2 {
		t.Errorf("%+v", dirs)
	}
}

// What a credential may not do, it may do in no request.
func TestCredentialsBoundEveryRequest(t *testing.T) {
	b := newBroker(t)
	b.topic("app.in", kafka.TopicOptions{})
	consume := b.mint(func(c *token.Claims) { c.Topics = token.TopicRule{Permission: token.PermitConsume, Topics: "app.*"} })
	produce := b.mint(func(c *token.Claims) { c.Topics = token.TopicRule{Permission: token.PermitProduce, Topics: "app.*"} })
	all := b.mint(func(c *token.Claims) { c.Topics = token.TopicRule{Permission: token.PermitAll, Topics: "app.*"} })
	denied := kerr.TopicAuthorizationFailed
	for _, row := range []struct {
		who                             credential
		topic                           string
		fetch, produce, offsets, create *kerr.Error
		initProducer                    *kerr.Error
	}{
		{consume, "app.in", nil, denied, nil, denied, kerr.ClusterAuthorizationFailed},
		{produce, "app.in", denied, nil, nil, denied, nil},
		{all, "app.in", nil, nil, nil, kerr.TopicAlreadyExists, nil},
		{all, "red", denied, denied, denied, denied, nil},
		{all, "unknown", denied, denied, denied, denied, nil},
	} {
		what := string(row.who.claims.Topics.Permission) + " " + row.topic
		c := b.client(row.who.plain())
		f := kmsg.NewPtrFetchRequest()
		f.MaxBytes, f.Topics = 1000, []kmsg.FetchRequestTopic{{Topic: row.topic, Partitions: []kmsg.FetchRequestTopicPartition{{PartitionMaxBytes: 100, CurrentLeaderEpoch: -1}}}}
		b.wantCode(what+" Fetch", rawFetch(b, c, f).Topics[0].Partitions[0].ErrorCode, row.fetch)
		l := kmsg.NewPtrListOffsetsRequest()
		l.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: row.topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
		b.wantCode(what+" ListOffsets", raw[*kmsg.ListOffsetsResponse](b, c, l).Topics[0].Partitions[0].ErrorCode, row.offsets)
		p := kmsg.NewPtrProduceRequest()
		p.Acks, p.TimeoutMillis = -1, 5000
		p.Topics = []kmsg.ProduceRequestTopic{{Topic: row.topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: oneBatch(t)}}}}
		b.wantCode(what+" Produce", raw[*kmsg.ProduceResponse](b, c, p).Topics[0].Partitions[0].ErrorCode, row.produce)
		b.wantCode(what+" CreateTopics", b.create(c, row.topic, 1), row.create)
		b.wantCode(what+" InitProducerId", raw[*kmsg.InitProducerIDResponse](b, c, kmsg.NewPtrInitProducerIDRequest()).ErrorCode, row.initProducer)
		md := do[*kmsg.MetadataResponse](b, c, kmsg.NewPtrMetadataRequest())
		if len(md.Topics) != 1 || *md.Topics[0].Topic != "app.in" {
			t.Errorf("%s: Metadata has %+v", what, md.Topics)
		}
	}
}

func TestClusterIsDescribedToThoseWhoAskABroker(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	req := kmsg.NewPtrDescribeClusterRequest()
	if got := raw[*kmsg.DescribeClusterResponse](b, c, req); got.ErrorCode != 0 || len(got.Brokers) != 1 || got.ClusterID != b.cluster.ID {
		t.Errorf("%+v", got)
	}
	req.EndpointType = 2 // a controller
	b.wantCode("a controller", raw[*kmsg.DescribeClusterResponse](b, c, req).ErrorCode, kerr.MismatchedEndpointType)
}

func TestBrokerSettingsAreReadOnly(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "0"}, {ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "7"}}
	got := raw[*kmsg.DescribeConfigsResponse](b, c, req).Resources
	i := slices.IndexFunc(got[0].Configs, func(c kmsg.DescribeConfigsResponseResourceConfig) bool {
		return c.Name == "auto.create.topics.enable"
	})
	if i < 0 || *got[0].Configs[i].Value != "false" || !got[0].Configs[i].ReadOnly {
		t.Errorf("%+v", got[0])
	}
	b.wantCode("another broker", got[1].ErrorCode, kerr.InvalidRequest)
	alter := kmsg.NewPtrAlterConfigsRequest()
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeBroker, "0"
	alter.Resources = append(alter.Resources, r)
	b.wantCode("a change", raw[*kmsg.AlterConfigsResponse](b, c, alter).Resources[0].ErrorCode, kerr.InvalidRequest)
}
