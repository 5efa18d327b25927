// Sarama runs sarama against a broker.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"github.com/skystash/skystash/integration/kafkawire/goclients/scenario"
)

func main() { scenario.Main(newClient) }

type client struct {
	scenario.Connection
	tls *tls.Config
}

func newClient(conn scenario.Connection) (*scenario.Client, error) {
	c := client{Connection: conn}
	if conn.CA != "" {
		pem, err := os.ReadFile(conn.CA)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("no certificate in " + conn.CA)
		}
		c.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &scenario.Client{
		Name: "sarama", Codecs: []string{"none", "gzip", "snappy", "lz4", "zstd"},
		CreateTopic: c.createTopic, Produce: c.produce, Read: c.read, Join: c.join, Administrate: c.administrate, Committed: c.committed, DeleteGroup: c.deleteGroup,
	}, nil
}

// Token is what sarama asks for OAUTHBEARER.
func (c client) Token() (*sarama.AccessToken, error) {
	return &sarama.AccessToken{Token: c.Password}, nil
}

// conversation is SCRAM, which sarama leaves to others.
type conversation struct {
	hash scram.HashGeneratorFcn
	*scram.ClientConversation
}

func (c *conversation) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err == nil {
		c.ClientConversation = client.NewConversation()
	}
	return err
}

func (c client) config() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Net.SASL.Enable, cfg.Net.SASL.User, cfg.Net.SASL.Password = true, c.Username, c.Password
	cfg.Net.SASL.Mechanism = sarama.SASLMechanism(c.Mechanism)
	cfg.Net.SASL.TokenProvider = c
	hash := scram.SHA512
	if c.Mechanism == "SCRAM-SHA-256" {
		hash = scram.SHA256
	}
	cfg.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &conversation{hash: hash} }
	cfg.Net.TLS.Enable, cfg.Net.TLS.Config = c.tls != nil, c.tls
	cfg.Producer.Return.Successes, cfg.Producer.RequiredAcks = true, sarama.WaitForAll
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Consumer.Offsets.Initial, cfg.Consumer.Offsets.AutoCommit.Enable = sarama.OffsetOldest, false
	cfg.Consumer.MaxWaitTime = 100 * time.Millisecond // which a consumer that is closed waits for
	cfg.Consumer.Group.Session.Timeout, cfg.Consumer.Group.Heartbeat.Interval = 6*time.Second, 300*time.Millisecond
	return cfg
}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func (c client) brokers() []string { return []string{c.Brokers} }

// withAdmin lends a client for administration.
func (c client) withAdmin(f func(sarama.ClusterAdmin) error) error {
	a, err := sarama.NewClusterAdmin(c.brokers(), c.config())
	if err != nil {
		return err
	}
	defer a.Close()
	return f(a)
}

func (c client) createTopic(topic string, partitions int) error {
	return c.withAdmin(func(a sarama.ClusterAdmin) error {
		return a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1}, false)
	})
}

func (c client) deleteGroup(group string) error {
	return c.withAdmin(func(a sarama.ClusterAdmin) error { return a.DeleteConsumerGroup(group) })
}

func (c client) committed(group, topic string, partitions int32) (sum int64, err error) {
	err = c.withAdmin(func(a sarama.ClusterAdmin) error {
		var all []int32
		for p := range partitions {
			all = append(all, p)
		}
		got, err := a.ListConsumerGroupOffsets(group, map[string][]int32{topic: all})
		if err != nil {
			return err
		}
		for p := range partitions {
			sum += max(0, got.GetBlock(topic, p).Offset)
		}
		return nil
	})
	return sum, err
}

func (c client) produce(topic, codec string, all []scenario.Message) error {
	cfg := c.config()
	cfg.Producer.Compression = codecs[codec]
	cfg.Producer.Idempotent, cfg.Net.MaxOpenRequests = true, 1
	p, err := sarama.NewSyncProducer(c.brokers(), cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	var out []*sarama.ProducerMessage
	for _, m := range all {
		out = append(out, &sarama.ProducerMessage{
			Topic: topic, Partition: m.Partition, Key: sarama.StringEncoder(m.Key), Value: sarama.StringEncoder(m.Value),
			Headers: []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(m.Header)}},
		})
	}
	return p.SendMessages(out)
}

func message(m *sarama.ConsumerMessage) scenario.Message {
	out := scenario.Message{Partition: m.Partition, Offset: m.Offset, Key: string(m.Key), Value: string(m.Value)}
	for _, h := range m.Headers {
		out.Header = string(h.Value)
	}
	return out
}

func (c client) read(ctx context.Context, topic string, partition int32, from int64, n int) (out []scenario.Message, err error) {
	consumer, err := sarama.NewConsumer(c.brokers(), c.config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	p, err := consumer.ConsumePartition(topic, partition, from)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for len(out) < n {
		select {
		case m := <-p.Messages():
			out = append(out, message(m))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return out, nil
}

// member is a member of a group. Its sessions come and go with the group's generations.
type member struct {
	group sarama.ConsumerGroup
	got   chan received
	stop  context.CancelFunc
	done  sync.WaitGroup

	pending []received
	mu      sync.Mutex
	failed  error
}

// received is a message with the session in which it came.
type received struct {
	session sarama.ConsumerGroupSession
	message *sarama.ConsumerMessage
}

func (c client) join(group, topic string) (scenario.Member, error) {
	g, err := sarama.NewConsumerGroup(c.brokers(), group, c.config())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &member{group: g, got: make(chan received), stop: stop}
	m.done.Go(func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, m); err != nil {
				m.mu.Lock()
				m.failed = err
				m.mu.Unlock()
				return
			}
		}
	})
	return m, nil
}

func (m *member) Setup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case one, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			select {
			case m.got <- received{s, one}:
			case <-s.Context().Done():
				return nil
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *member) Poll() (out []scenario.Message, err error) {
	wait := time.After(100 * time.Millisecond)
	for len(out) < 50 {
		select {
		case r := <-m.got:
			m.pending = append(m.pending, r)
			out = append(out, message(r.message))
		case <-wait:
			m.mu.Lock()
			defer m.mu.Unlock()
			return out, m.failed
		}
	}
	return out, nil
}

func (m *member) Commit() error {
	for i, r := range m.pending {
		r.session.MarkMessage(r.message, "")
		if i == len(m.pending)-1 || m.pending[i+1].session != r.session {
			r.session.Commit()
		}
	}
	m.pending = nil
	return nil
}

func (m *member) Leave() error {
	m.stop()
	m.done.Wait()
	return m.group.Close()
}

// administrate is what is not done elsewhere.
func (c client) administrate(topic string) error {
	return c.withAdmin(func(a sarama.ClusterAdmin) error {
		detail := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}
		if err := a.CreateTopic(topic, detail, false); err != nil {
			return err
		}
		if err := a.CreateTopic(topic, detail, false); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("a topic is made twice: %v", err)
		}
		value := "60000"
		if err := a.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
			"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
		}, false); err != nil {
			return err
		}
		resource := &sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}}
		configs, err := a.DescribeConfigs([]*sarama.ConfigResource{resource}, sarama.DescribeConfigsOptions{})
		if err != nil || len(configs[0].Configs) != 1 || configs[0].Configs[0].Value != value {
			return fmt.Errorf("configurations: %v, %w", configs, err)
		}
		if err := a.CreatePartitions(topic, 3, nil, false); err != nil {
			return err
		}
		topics, err := a.DescribeTopics([]string{topic})
		if err != nil || len(topics[0].Partitions) != 3 {
			return fmt.Errorf("topics: %v, %w", topics, err)
		}
		if brokers, _, err := a.DescribeCluster(); err != nil || len(brokers) != 1 {
			return fmt.Errorf("cluster: %v, %w", brokers, err)
		}
		if dirs, err := a.DescribeLogDirs([]int32{0}); err != nil || len(dirs[0]) != 1 {
			return fmt.Errorf("directories: %v, %w", dirs, err)
		}
		if _, err := a.ListConsumerGroups(); err != nil {
			return err
		}
		if err := a.DeleteRecords(topic, map[int32]int64{0: 0}); err != nil {
			return fmt.Errorf("deleting records: %w", err)
		}
		return a.DeleteTopic(topic)
	})
}
