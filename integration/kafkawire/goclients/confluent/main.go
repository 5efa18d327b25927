// Confluent runs confluent-kafka-go, which is librdkafka, against a broker.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/skystash/skystash/integration/kafkawire/goclients/scenario"
)

func main() { scenario.Main(newClient) }

// client makes librdkafka's handles.
type client struct{ scenario.Connection }

func newClient(conn scenario.Connection) (*scenario.Client, error) {
	c := client{conn}
	_, version := kafka.LibraryVersion()
	return &scenario.Client{
		Name: "confluent-kafka-go " + version, Codecs: []string{"none", "gzip", "snappy", "lz4", "zstd"},
		CreateTopic: c.createTopic, Produce: c.produce, Read: c.read, Join: c.join, Administrate: c.administrate, Committed: c.committed, DeleteGroup: c.deleteGroup,
	}, nil
}

func (c client) config(more kafka.ConfigMap) *kafka.ConfigMap {
	m := kafka.ConfigMap{"bootstrap.servers": c.Brokers, "sasl.mechanism": c.Mechanism, "security.protocol": "SASL_PLAINTEXT"}
	if c.CA != "" {
		m["security.protocol"], m["ssl.ca.location"] = "SASL_SSL", c.CA
	}
	if c.Mechanism != "OAUTHBEARER" {
		m["sasl.username"], m["sasl.password"] = c.Username, c.Password
	}
	for k, v := range more {
		m[k] = v
	}
	return &m
}

// handle is what all kinds of clients have.
type handle interface {
	SetOAuthBearerToken(kafka.OAuthBearerToken) error
}

// token gives a client its token, if it needs one.
func (c client) token(h handle) error {
	if c.Mechanism != "OAUTHBEARER" {
		return nil
	}
	return h.SetOAuthBearerToken(kafka.OAuthBearerToken{TokenValue: c.Password, Expiration: time.Now().Add(time.Hour), Principal: "me"})
}

func timeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 20*time.Second)
}

func (c client) admin() (*kafka.AdminClient, error) {
	a, err := kafka.NewAdminClient(c.config(nil))
	if err != nil {
		return nil, err
	}
	return a, c.token(a)
}

// withAdmin lends a client for administration.
func (c client) withAdmin(f func(context.Context, *kafka.AdminClient) error) error {
	a, err := c.admin()
	if err != nil {
		return err
	}
	defer a.Close()
	ctx, cancel := timeout()
	defer cancel()
	return f(ctx, a)
}

// topicError is the error of the one topic of a result.
func topicError(results []kafka.TopicResult, err error) error {
	if err == nil && results[0].Error.Code() != kafka.ErrNoError {
		return results[0].Error
	}
	return err
}

func (c client) createTopic(topic string, partitions int) error {
	return c.withAdmin(func(ctx context.Context, a *kafka.AdminClient) error {
		return topicError(a.CreateTopics(ctx, []kafka.TopicSpecification{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}}))
	})
}

func (c client) deleteGroup(group string) error {
	return c.withAdmin(func(ctx context.Context, a *kafka.AdminClient) error {
		r, err := a.DeleteConsumerGroups(ctx, []string{group})
		if err == nil && r.ConsumerGroupResults[0].Error.Code() != kafka.ErrNoError {
			err = r.ConsumerGroupResults[0].Error
		}
		return err
	})
}

func (c client) committed(group, topic string, partitions int32) (sum int64, err error) {
	err = c.withAdmin(func(ctx context.Context, a *kafka.AdminClient) error {
		var of []kafka.TopicPartition
		for p := range partitions {
			of = append(of, kafka.TopicPartition{Topic: &topic, Partition: p})
		}
		r, err := a.ListConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{{Group: group, Partitions: of}})
		if err != nil {
			return err
		}
		for _, p := range r.ConsumerGroupsTopicPartitions[0].Partitions {
			sum += max(0, int64(p.Offset))
		}
		return nil
	})
	return sum, err
}

func (c client) produce(topic, codec string, all []scenario.Message) error {
	p, err := kafka.NewProducer(c.config(kafka.ConfigMap{"compression.type": codec, "enable.idempotence": true, "linger.ms": 5, "go.delivery.reports": true}))
	if err != nil {
		return err
	}
	defer p.Close()
	if err := c.token(p); err != nil {
		return err
	}
	delivered := make(chan kafka.Event, len(all))
	for _, m := range all {
		err := p.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: m.Partition}, Key: []byte(m.Key), Value: []byte(m.Value),
			Headers: []kafka.Header{{Key: "codec", Value: []byte(m.Header)}},
		}, delivered)
		if err != nil {
			return err
		}
	}
	for range all {
		select {
		case e := <-delivered:
			if m, ok := e.(*kafka.Message); ok && m.TopicPartition.Error != nil {
				return m.TopicPartition.Error
			}
		case <-time.After(30 * time.Second):
			return errors.New("messages are not delivered")
		}
	}
	return nil
}

func message(m *kafka.Message) scenario.Message {
	out := scenario.Message{Partition: m.TopicPartition.Partition, Offset: int64(m.TopicPartition.Offset), Key: string(m.Key), Value: string(m.Value)}
	for _, h := range m.Headers {
		out.Header = string(h.Value)
	}
	return out
}

func (c client) read(ctx context.Context, topic string, partition int32, from int64, n int) (out []scenario.Message, err error) {
	consumer, err := kafka.NewConsumer(c.config(kafka.ConfigMap{"group.id": "unused", "enable.auto.commit": false}))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	if err := c.token(consumer); err != nil {
		return nil, err
	}
	tp := kafka.TopicPartition{Topic: &topic, Partition: partition, Offset: 0}
	if err := consumer.Assign([]kafka.TopicPartition{tp}); err != nil {
		return nil, err
	}
	tp.Offset = kafka.Offset(from)
	if _, err := consumer.SeekPartitions([]kafka.TopicPartition{tp}); err != nil {
		return nil, fmt.Errorf("seeking: %w", err)
	}
	for len(out) < n && ctx.Err() == nil {
		m, err := consumer.ReadMessage(200 * time.Millisecond)
		if e, ok := err.(kafka.Error); ok && e.IsTimeout() {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, message(m))
	}
	return out, ctx.Err()
}

// member is a member of a group.
type member struct{ *kafka.Consumer }

func (c client) join(group, topic string) (scenario.Member, error) {
	consumer, err := kafka.NewConsumer(c.config(kafka.ConfigMap{
		"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": false, "session.timeout.ms": 6000, "heartbeat.interval.ms": 300,
		"partition.assignment.strategy": "cooperative-sticky",
	}))
	if err != nil {
		return nil, err
	}
	if err := c.token(consumer); err != nil {
		return nil, err
	}
	return member{consumer}, consumer.Subscribe(topic, nil)
}

func (m member) Poll() (out []scenario.Message, err error) {
	for len(out) < 50 {
		got, err := m.ReadMessage(50 * time.Millisecond)
		if e, ok := err.(kafka.Error); ok && e.IsTimeout() {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, message(got))
	}
	return out, nil
}

func (m member) Commit() error {
	_, err := m.Consumer.Commit()
	if e, ok := err.(kafka.Error); ok && e.Code() == kafka.ErrNoOffset {
		return nil
	}
	return err
}

func (m member) Leave() error { return m.Close() }

// administrate is what is not done elsewhere.
func (c client) administrate(topic string) error {
	if err := c.createTopic(topic, 2); err != nil {
		return err
	}
	if err, ok := c.createTopic(topic, 2).(kafka.Error); !ok || err.Code() != kafka.ErrTopicAlreadyExists {
		return fmt.Errorf("a topic is made twice: %v", err)
	}
	err := c.withAdmin(func(ctx context.Context, a *kafka.AdminClient) error {
		resource := kafka.ConfigResource{Type: kafka.ResourceTopic, Name: topic, Config: []kafka.ConfigEntry{
			{Name: "retention.ms", Value: "60000", IncrementalOperation: kafka.AlterConfigOpTypeSet},
		}}
		if _, err := a.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{resource}); err != nil {
			return err
		}
		resource.Config = nil
		configs, err := a.DescribeConfigs(ctx, []kafka.ConfigResource{resource})
		if err != nil || configs[0].Config["retention.ms"].Value != "60000" {
			return fmt.Errorf("configurations: %v, %w", configs, err)
		}
		if err := topicError(a.CreatePartitions(ctx, []kafka.PartitionsSpecification{{Topic: topic, IncreaseTo: 3}})); err != nil {
			return err
		}
		topics, err := a.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{topic}))
		if err != nil || len(topics.TopicDescriptions[0].Partitions) != 3 {
			return fmt.Errorf("topics: %+v, %w", topics, err)
		}
		cluster, err := a.DescribeCluster(ctx)
		if err != nil || len(cluster.Nodes) != 1 {
			return fmt.Errorf("cluster: %+v, %w", cluster, err)
		}
		tp := kafka.TopicPartition{Topic: &topic, Partition: 0}
		ends, err := a.ListOffsets(ctx, map[kafka.TopicPartition]kafka.OffsetSpec{tp: kafka.LatestOffsetSpec})
		if err != nil || ends.ResultInfos[tp].Offset != 0 {
			return fmt.Errorf("offsets: %+v, %w", ends, err)
		}
		if _, err := a.ListConsumerGroups(ctx, kafka.SetAdminMatchConsumerGroupStates([]kafka.ConsumerGroupState{kafka.ConsumerGroupStateStable})); err != nil {
			return err
		}
		return topicError(a.DeleteTopics(ctx, []string{topic}))
	})
	if err != nil {
		return err
	}
	return c.refusesTransactions()
}

// refusesTransactions wants that transactions fail at once, instead of waiting for what never comes.
func (c client) refusesTransactions() error {
	p, err := kafka.NewProducer(c.config(kafka.ConfigMap{"transactional.id": "t"}))
	if err != nil {
		return err
	}
	defer p.Close()
	if err := c.token(p); err != nil {
		return err
	}
	ctx, cancel := timeout()
	defer cancel()
	begin := time.Now()
	if err, ok := p.InitTransactions(ctx).(kafka.Error); !ok || err.Code() != kafka.ErrTransactionalIDAuthorizationFailed {
		return fmt.Errorf("InitTransactions: %v after %v", err, time.Since(begin))
	}
	return nil
}
