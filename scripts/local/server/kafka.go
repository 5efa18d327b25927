package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

const (
	kafkaDir       = "kafka"
	kafkaCluster   = "default-kafka" // ids are unique among all products
	kafkaReclaim   = time.Minute
	streamPatience = time.Minute
)

// topicsFlag are topics and their numbers of partitions.
type topicsFlag map[string]int

func (f *topicsFlag) String() string { return "" }

func (f *topicsFlag) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		name, count, counted := strings.Cut(part, ":")
		n := 1
		if counted {
			var err error
			if n, err = strconv.Atoi(count); err != nil || n < 1 {
				return fmt.Errorf("topic %s: %q is no number of partitions", name, count)
			}
		}
		if !kafka.ValidTopicName(name) {
			return fmt.Errorf("illegal topic name %q", name)
		}
		if *f == nil {
			*f = topicsFlag{}
		}
		(*f)[name] = n
	}
	return nil
}

// openStream opens the stream of Kafka's messages: one of Kinesis, which any number of processes may
// share, or one in Kafka's store, which is for one process.
func (m *Main) openStream(ctx context.Context, st store.Store) (ingest.Stream, error) {
	f := &m.flags
	if f.kafkaStream == "" {
		return embedded.Open(ctx, embedded.Options{Store: st, Logger: m.log})
	}
	cfg, err := m.openAWS(ctx, f.kinesis)
	if err != nil {
		return nil, err
	}
	client := awskinesis.NewFromConfig(cfg, func(o *awskinesis.Options) {
		if f.kinesis != "" {
			o.BaseEndpoint = &f.kinesis
		}
	})
	if f.kinesis != "" {
		if err := createStream(ctx, client, f.kafkaStream); err != nil {
			return nil, fmt.Errorf("the stream of Kinesis at %s: %w", f.kinesis, err)
		}
	}
	return kinesis.New(client, f.kafkaStream, kinesis.Options{Logger: m.log}), nil
}

// createStream creates a stream, unless it is there, and waits until it can be used.
func createStream(ctx context.Context, client *awskinesis.Client, name string) error {
	_, err := client.CreateStream(ctx, &awskinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)})
	if there := (*types.ResourceInUseException)(nil); err != nil && !errors.As(err, &there) {
		return fmt.Errorf("creating stream %s: %w", name, err)
	}
	err = awskinesis.NewStreamExistsWaiter(client, func(o *awskinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}).Wait(ctx, &awskinesis.DescribeStreamInput{StreamName: &name}, streamPatience)
	if err != nil {
		return fmt.Errorf("waiting for stream %s: %w", name, err)
	}
	return nil
}

// openKafka opens Kafka over a store of its own.
func (m *Main) openKafka(ctx context.Context) (p *product, err error) {
	st, recordTTL, err := m.openStore(ctx, kafkaDir, m.flags.kafkaTable)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.Close())
		}
	}()
	stream, err := m.openStream(ctx, st)
	if err != nil {
		return nil, err
	}
	// Records are changed through this engine, which then reads them anew. So only changes that other servers make, over
	// a table that is shared, are seen later.
	recordTTL = max(recordTTL, contract.RecordTTL)
	engine := kafka.New(kafka.Config{Store: st, Stream: stream, RecordTTL: recordTTL, Now: m.Now, Logger: m.log})
	if m.flags.kafkaStream == "" { // nobody else uses the stream
		if err := engine.CloseGaps(ctx); err != nil {
			return nil, err
		}
	}
	cluster, err := openCluster(ctx, engine, m.flags.partitions)
	if err != nil {
		return nil, err
	}
	for name, n := range m.flags.topics {
		_, err := engine.CreateTopic(ctx, cluster, name, kafka.TopicOptions{Partitions: n})
		if err != nil && !kafka.IsKind(err, kafka.Exists) {
			return nil, err
		}
	}
	verifier, err := m.newVerifier(token.ProductKafka, st)
	if err != nil {
		return nil, err
	}
	if m.kafkaWire, err = m.openKafkaWire(engine, verifier); err != nil {
		return nil, err
	}
	m.kafka, m.directories = engine, append(m.directories, keydir.Directory{Store: st})
	p = &product{
		name:   "Kafka, over REST and natively",
		prefix: "/kafka",
		owns:   owned{control.Kafka, kafkaCluster, "local"},
		vars: func(t control.Token) [][2]string {
			return append([][2]string{
				{"UPSTASH_KAFKA_REST_URL", m.url + "/kafka"},
				{"UPSTASH_KAFKA_REST_USERNAME", t.Username},
				{"UPSTASH_KAFKA_REST_PASSWORD", t.Text},
			}, m.kafkaWire.vars(t.Username, t.Text)...)
		},
		duties: []func(context.Context){
			func(ctx context.Context) {
				if err := engine.Run(ctx); err != nil && ctx.Err() == nil {
					m.log.Error("the stream of Kafka is not read any more", "error", err)
				}
			},
			func(ctx context.Context) { m.reclaimKafka(ctx, engine) },
		},
		close: st.Close,
	}
	p.mount(rest.New(rest.Config{Engine: engine, Verifier: verifier, MaxBodyBytes: m.flags.maxRequest, Meter: m.usage.live, Turns: m.redis.Queue(), Large: m.large, Now: m.Now, Logger: m.log}))
	return p, nil
}

// openCluster reads the program's cluster, or creates it at the first start. Its topics can have so
// many partitions in all.
func openCluster(ctx context.Context, engine *kafka.Engine, partitions int) (*kafka.Cluster, error) {
	c, err := engine.Cluster(ctx, kafkaCluster)
	if kafka.IsKind(err, kafka.NotFound) {
		c, err = engine.CreateCluster(ctx, kafka.ClusterOptions{ID: kafkaCluster, Name: "local", MaxPartitions: partitions})
		if kafka.IsKind(err, kafka.Exists) { // another process on the same table was faster
			c, err = engine.Cluster(ctx, kafkaCluster)
		}
	}
	if err != nil || c.MaxPartitions == partitions {
		return c, err
	}
	if err := engine.SetMaxPartitions(ctx, kafkaCluster, partitions); err != nil {
		return nil, err
	}
	return engine.Cluster(ctx, kafkaCluster)
}

// reclaimKafka deletes and compacts from time to time. In AWS a function of its own does this.
func (m *Main) reclaimKafka(ctx context.Context, engine *kafka.Engine) {
	tick := time.NewTicker(kafkaReclaim)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := engine.Reclaim(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("reclaiming Kafka's space", "error", err)
			}
		}
	}
}
