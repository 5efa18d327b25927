package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
)

// produce sends messages to a topic and waits until they can be read.
func (w *world) produce(res *control.Resource, messages ...kafka.NewMessage) {
	w.Helper()
	cluster, err := w.kafka.Cluster(w.Context(), res.ID)
	w.ok(err)
	done, err := w.kafka.Produce(w.Context(), cluster, messages)
	w.ok(err)
	for _, d := range done {
		w.ok(d.Err)
		at := kafka.TopicOffset{TopicPartition: kafka.TopicPartition{Topic: d.Topic, Partition: d.Partition}, Offset: d.Offset}
		_, err := w.kafka.Fetch(w.Context(), cluster, []kafka.TopicOffset{at}, 10*time.Second)
		w.ok(err)
	}
}

func TestTopics(t *testing.T) {
	c := newTest(t)
	res := c.createCluster("events")
	topics := "/r/" + res.ID + "/topics"
	c.get(topics).want("No topics yet")
	c.post(topics, "name", "a b", "partitions", "0", "retention", "soon", "max_message", "99999999999").is(422).
		want("Use 1 to 249 letters", "whole number of at least 1", "12h or 7d", "data-open")
	c.post(topics, "name", "orders", "partitions", "3", "retention", "12h").is(200).want("Topic orders is ready.", "12 hours")
	c.post(topics, "name", "orders", "partitions", "1").is(422).want("exists already")
	c.post(topics, "name", "huge", "partitions", "1000").is(422).want("partitions in all topics")
	c.get(topics).want("orders", "3 of 100 partitions")
	c.post(topics+"/orders/settings", "partitions", "2", "retention", "12h").want("cannot become fewer")
	c.post(topics+"/orders/settings", "partitions", "4", "retention", "forever", "compact", "1").want("Saved.", "forever")
	c.get(topics+"/orders?tab=partitions").want("Next offset", `<a href="/console/r/`+res.ID+`/topics/orders?partition=3">3</a>`)
	c.try(topics + "/none").is(404)
	c.try(topics + "/a%20b").is(404)
	c.post(topics+"/orders/delete", "confirm", "other").want("nothing was deleted")
	c.post(topics+"/orders/delete", "confirm", "orders").want("was deleted", "No topics yet")
}

func TestMessageBrowser(t *testing.T) {
	c := newTest(t)
	res := c.createCluster("events")
	topic := "/r/" + res.ID + "/topics/orders"
	c.get("/r/" + res.ID + "/topics")
	c.post("/r/"+res.ID+"/topics", "name", "orders", "partitions", "2")
	c.get(topic).want("No messages here")
	c.post(topic+"/produce", "key", "k1", "partition", "0", "value", `{"total":12}`, "headers", "source: web\r\ntrace:1").
		want("Sent to partition", "k1", "&#34;total&#34;: 12", "source", "web")
	c.post(topic+"/produce", "value", `\xff\x00`, "format", "escaped", "partition", "1").want("Sent to partition 1 ", `\xff\x00`, "no key")
	c.post(topic+"/produce", "key", "k1", "partition", "0", "tombstone", "1").want("tombstone")
	c.post(topic+"/produce", "value", "x", "headers", "nothing").want("Write each header as name: value")
	c.post(topic+"/produce", "value", "x", "partition", "9").want("No partition 9")
	var many []kafka.NewMessage
	for i := range 120 {
		many = append(many, kafka.NewMessage{Topic: "orders", Partition: 0, Timestamp: c.now.UnixMilli() + int64(i)*60_000, Value: fmt.Appendf(nil, "value-%03d", i)})
	}
	c.produce(res, many...)
	c.get(topic+"?partition=0").want("value-119", "value-080", "Older").lacks("value-060")
	older := c.get(topic + "?partition=0&at=latest&offset=60")
	older.want("Newest", "Older").lacks("value-119")
	c.get(topic+"?partition=0&at=offset&offset=30").want("value-030", "Newer").lacks("value-090")
	c.get(topic + "?at=time&time=" + c.now.Add(100*time.Minute).UTC().Format("2006-01-02T15:04")).want("value-100").lacks("value-099")
	c.get(topic+"?at=earliest").want("first messages of each partition", "value-000")
	c.get(topic + "?at=time&time=x").want("Enter a date")
	c.get(topic + "?at=offset&offset=x").want("Enter an offset")
	c.get(topic + "?partition=7").want("no such partition")
	d := c.get(topic + "/message?partition=1&offset=0")
	if d.body != "\xff\x00" {
		t.Errorf("download: %q", d.body)
	}
	c.try(topic + "/message?partition=1&offset=99").is(404)
	c.try(topic + "/message?partition=x&offset=99").is(404)
	c.produce(res, kafka.NewMessage{Topic: "orders", Partition: 1, Timestamp: -1, Value: []byte(strings.Repeat("long ", 100_000))})
	if p := c.get(topic + "?partition=1").want("of which the beginning is shown"); len(p.body) > 100_000 {
		t.Errorf("the page has %d bytes", len(p.body))
	}
}

func TestGroups(t *testing.T) {
	c := newTest(t)
	res := c.createCluster("events")
	groups := "/r/" + res.ID + "/groups"
	c.get(groups).want("No groups yet")
	cluster, err := c.kafka.Cluster(t.Context(), res.ID)
	c.ok(err)
	_, err = c.kafka.CreateTopic(t.Context(), cluster, "orders", kafka.TopicOptions{})
	c.ok(err)
	c.produce(res, kafka.NewMessage{Topic: "orders", Timestamp: -1, Value: []byte("a")}, kafka.NewMessage{Topic: "orders", Timestamp: -1, Value: []byte("b")})
	o := kafka.InstanceOptions{Reset: kafka.ResetEarliest, SessionTimeout: time.Minute}
	_, err = c.kafka.Consume(t.Context(), cluster, "bill/ing", "worker-1", []string{"orders"}, o, 0)
	c.ok(err)
	c.ok(c.kafka.Commit(t.Context(), cluster, "bill/ing", "worker-1", []kafka.TopicOffset{{TopicPartition: kafka.TopicPartition{Topic: "orders"}, Offset: 1}}))
	c.get(groups).want("bill/ing", "Active", "orders")
	c.post(groups+"/bill%2Fing/reset", "to", "earliest").want("has instances")
	c.get(groups+"/bill%2Fing").want("worker-1", "Committed")
	c.try(groups + "/none").is(404)
	c.post(groups + "/bill%2Fing/delete").want("has instances")
	c.now = c.now.Add(time.Hour)
	c.get(groups).want("Empty")
	c.post(groups+"/bill%2Fing/reset", "to", "time", "time", "soon").want("Choose a time")
	c.post(groups+"/bill%2Fing/reset", "to", "earliest", "topic", "orders").want("begin there")
	offsets, err := c.kafka.Committed(t.Context(), cluster, "bill/ing", []kafka.TopicPartition{{Topic: "orders"}})
	if c.ok(err); offsets[0].Offset != 0 {
		t.Errorf("after the reset %d is committed", offsets[0].Offset)
	}
	c.post(groups+"/bill%2Fing/delete").want("was deleted", "No groups yet")
}

// consumerType is what the members of a group of consumers say they are.
const consumerType = "consumer"

// joinNatively makes a client of Kafka's own protocol the only member of a group, with partition 0 of a topic. It is
// served by an engine of its own, as by a gateway, whose clock goes on from the test's: members wait for each other.
func (w *world) joinNatively(cluster *kafka.Cluster, group, topic, instance string) (*kafka.Engine, kafka.MemberRef) {
	w.Helper()
	noon, began := w.now, time.Now()
	gateway := kafka.New(kafka.Config{Store: w.kafkaStore, Now: func() time.Time { return noon.Add(time.Since(began)) }})
	w.Cleanup(gateway.Close)
	reads := kmsg.NewConsumerMemberMetadata()
	reads.Topics = []string{topic}
	joined, err := gateway.JoinGroup(w.Context(), cluster, kafka.JoinRequest{
		Group: group, Instance: instance, ClientID: "app", SessionTimeout: time.Minute, RebalanceTimeout: time.Minute, ProtocolType: consumerType,
		Protocols: []kafka.GroupProtocol{{Name: "range", Metadata: reads.AppendTo(nil)}},
	})
	w.ok(err)
	gets := kmsg.NewConsumerMemberAssignment()
	gets.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: topic, Partitions: []int32{0}}}
	m := kafka.MemberRef{Group: group, Member: joined.Member, Instance: instance, Generation: joined.Generation}
	_, err = gateway.SyncGroup(w.Context(), cluster, kafka.SyncRequest{MemberRef: m, ProtocolType: consumerType, Protocol: joined.Protocol,
		Assignments: map[string][]byte{joined.Member: gets.AppendTo(nil)}})
	w.ok(err)
	return gateway, m
}

func TestGroupOfNativeClients(t *testing.T) {
	c := newTest(t)
	res := c.createCluster("events")
	group := "/r/" + res.ID + "/groups/native"
	c.get("/r/" + res.ID + "/groups")
	cluster, err := c.kafka.Cluster(t.Context(), res.ID)
	c.ok(err)
	_, err = c.kafka.CreateTopic(t.Context(), cluster, "orders", kafka.TopicOptions{})
	c.ok(err)
	c.produce(res, kafka.NewMessage{Topic: "orders", Timestamp: -1, Value: []byte("a")}, kafka.NewMessage{Topic: "orders", Timestamp: -1, Value: []byte("b")})
	gateway, m := c.joinNatively(cluster, "native", "orders", "till-7")
	c.get("/r/"+res.ID+"/groups").want("native", "Active", "orders", `<span class="badge badge-warn">2</span>`) // nothing is committed, and there are two
	_, err = gateway.CommitOffsets(t.Context(), cluster, m, []kafka.OffsetCommit{{TopicOffset: kafka.TopicOffset{TopicPartition: kafka.TopicPartition{Topic: "orders"}, Offset: 1}}})
	c.ok(err)
	c.get(group).want("till-7", "Committed", "orders")
	c.post(group+"/reset", "to", "earliest").want("has members")
	c.post(group + "/delete").want("has members")
	_, err = gateway.LeaveGroup(t.Context(), cluster, "native", []kafka.Leaver{{Member: m.Member}})
	c.ok(err)
	c.get("/r/" + res.ID + "/groups").want("Empty")
	c.post(group+"/reset", "to", "earliest").want("begin there")
	c.post(group+"/delete").want("was deleted", "No groups yet")
}
