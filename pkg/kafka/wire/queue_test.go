package wire_test

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// Answers come in the order of the requests, also of those that wait for nothing and stand between others that do, and however many
// there are.
func TestAnswersAreInOrder(t *testing.T) {
	b := newBroker(t)
	b.topic("empty", kafka.TopicOptions{Partitions: 1})
	s := b.dial()
	s.login(b.mint(nil))
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MaxWaitMillis, fetch.MinBytes, fetch.MaxBytes = 11, 20, 1, 1<<20
	topic, partition := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	topic.Topic, partition.PartitionMaxBytes = "empty", 1<<20
	topic.Partitions = append(topic.Partitions, partition)
	fetch.Topics = append(fetch.Topics, topic)
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 1
	const count = 60
	var all []byte
	for i := range int32(count) {
		req := kmsg.Request(metadata)
		if i%6 == 2 || i%6 == 3 {
			req = fetch
		}
		all = append(all, kmsg.NewRequestFormatter().AppendRequest(nil, req, i)...)
	}
	s.send(all)
	for i := range uint32(count) {
		answer := s.receive()
		if answer == nil {
			t.Fatalf("request %d is not answered", i)
		}
		if got := binary.BigEndian.Uint32(answer); got != i {
			t.Fatalf("answer %d to request %d", got, i)
		}
	}
}
