package kafka_test

import (
	"context"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
)

// onAWS is an engine as functions have it, over emulators.
func onAWS(t *testing.T) (e *kafka.Engine, c *kafka.Cluster, client *awskinesis.Client, stream string) {
	t.Helper()
	client = kinesislocal.Client(t)
	stream = kinesislocal.Stream(t, client, 1)
	e = kafka.New(kafka.Config{
		Store: dynamolocal.Open(t), Stream: kinesis.New(client, stream, kinesis.Options{PollEvery: 50 * time.Millisecond}), RecordTTL: time.Second,
	})
	t.Cleanup(e.Close)
	c, err := e.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateTopic(t.Context(), c, "red", kafka.TopicOptions{Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	return e, c, client, stream
}

func produce(t *testing.T, e *kafka.Engine, c *kafka.Cluster, partition int, value string) int64 {
	t.Helper()
	got, err := e.Produce(t.Context(), c, []kafka.NewMessage{{Topic: "red", Partition: partition, Timestamp: -1, Value: []byte(value)}})
	if err != nil || got[0].Err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	return got[0].Offset
}

// The event source mapping is late: it never comes.
func TestFetchRightAfterProduceSeesTheMessage(t *testing.T) {
	e, c, _, _ := onAWS(t)
	for i := range 5 {
		offset := produce(t, e, c, 1, fmt.Sprint(i))
		got, err := e.Fetch(t.Context(), c, []kafka.TopicOffset{{TopicPartition: kafka.TopicPartition{Topic: "red", Partition: 1}, Offset: offset}}, time.Minute)
		if err != nil || len(got) != 1 || string(got[0].Value) != fmt.Sprint(i) {
			t.Fatalf("message %d: %+v, %v", i, got, err)
		}
	}
	o := kafka.InstanceOptions{AutoCommit: true, Reset: kafka.ResetEarliest, SessionTimeout: time.Minute}
	produce(t, e, c, 2, "for the group")
	seen := 0
	for seen < 6 {
		got, err := e.Consume(t.Context(), c, "g", "i", []string{"red"}, o, time.Minute)
		if err != nil || len(got) == 0 {
			t.Fatalf("after %d messages: %+v, %v", seen, got, err)
		}
		seen += len(got)
	}
	if seen != 6 {
		t.Errorf("the group has %d messages", seen)
	}
}

func TestOrderOfPartitionsSurvivesSplitsAndMerges(t *testing.T) {
	e, c, client, stream := onAWS(t)
	const each = 12
	next := 0
	putSome := func() {
		t.Helper()
		for range each {
			for p := range 4 {
				if offset := produce(t, e, c, p, fmt.Sprint(next)); offset != int64(next) {
					t.Fatalf("offset %d, want %d", offset, next)
				}
			}
			next++
		}
	}
	open := func() (ids []string) {
		t.Helper()
		out, err := client.DescribeStream(t.Context(), &awskinesis.DescribeStreamInput{StreamName: &stream})
		if err != nil {
			t.Fatal(err)
		}
		for _, sh := range out.StreamDescription.Shards {
			if sh.SequenceNumberRange.EndingSequenceNumber == nil {
				ids = append(ids, *sh.ShardId)
			}
		}
		return ids
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	putSome()
	half := new(big.Int).Lsh(big.NewInt(1), 127)
	if _, err := client.SplitShard(ctx, &awskinesis.SplitShardInput{
		StreamName: &stream, ShardToSplit: &open()[0], NewStartingHashKey: aws.String(half.String()),
	}); err != nil {
		t.Fatal(err)
	}
	kinesislocal.WaitActive(t, client, stream)
	putSome()
	two := open()
	if _, err := client.MergeShards(ctx, &awskinesis.MergeShardsInput{
		StreamName: &stream, ShardToMerge: &two[0], AdjacentShardToMerge: &two[1],
	}); err != nil {
		t.Fatal(err)
	}
	kinesislocal.WaitActive(t, client, stream)
	putSome()

	for p := range 4 {
		for read := int64(0); read < int64(next); {
			got, err := e.Fetch(ctx, c, []kafka.TopicOffset{{TopicPartition: kafka.TopicPartition{Topic: "red", Partition: p}, Offset: read}}, 20*time.Second)
			if err != nil || len(got) == 0 {
				t.Fatalf("partition %d ends at %d: %v", p, read, err)
			}
			for _, m := range got {
				if m.Offset != read || string(m.Value) != fmt.Sprint(read) {
					t.Fatalf("partition %d: offset %d holds %s, want %d", p, m.Offset, m.Value, read)
				}
				read++
			}
		}
	}
}
