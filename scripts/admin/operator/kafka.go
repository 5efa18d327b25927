package operator

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

func kafkaCommands() []Command {
	return []Command{
		{"create-kafka-cluster", "make a Kafka cluster", createKafkaCluster},
		{"create-kafka-topic", "make a topic of a Kafka cluster", createKafkaTopic},
		{"delete-kafka-topic", "delete a topic with its messages", deleteKafkaTopic},
		{"mint-kafka-credential", "make a user name and password for a Kafka cluster", mintKafkaCredential},
		{"add-scram", "let Kafka clients use an older password, read from standard input, with SCRAM", addScram},
		{"revoke-kafka-credential", "make one Kafka credential invalid, by its id", revokeKafkaCredential},
	}
}

// kafkaEngine is one that manages: it has no stream.
func (d deployment) kafkaEngine(ctx context.Context) (*kafka.Engine, error) {
	c, err := d.cloud(ctx)
	if err != nil {
		return nil, err
	}
	return kafka.New(kafka.Config{Store: c.Table(*d.table)}), nil
}

// cluster opens the engine and reads the cluster that a flag names.
func (d deployment) cluster(ctx context.Context, id string) (*kafka.Engine, *kafka.Cluster, error) {
	engine, err := d.kafkaEngine(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := engine.Cluster(ctx, id)
	return engine, c, err
}

func createKafkaCluster(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	name := flags.String("name", "", "name, for people")
	id := flags.String("id", "", "id: letters, digits, '-' and '_'; chosen at random if not given")
	partitions := flags.Int("partitions", kafka.DefaultMaxPartitions, "partitions that all topics may have together")
	if err := Parse(flags, args, "table", "name"); err != nil {
		return err
	}
	if *id == "" {
		*id = strings.ToLower(rand.Text())
	}
	engine, err := d.kafkaEngine(ctx)
	if err != nil {
		return err
	}
	c, err := engine.CreateCluster(ctx, kafka.ClusterOptions{ID: *id, Name: *name, MaxPartitions: *partitions})
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Kafka cluster %q. Its id:\n", c.Name)
	fmt.Fprintln(stdout, c.ID)
	return nil
}

func createKafkaTopic(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	d := deploymentFlags(flags)
	cluster := flags.String("cluster", "", "id of the cluster")
	name := flags.String("name", "", "name of the topic")
	var o kafka.TopicOptions
	flags.IntVar(&o.Partitions, "partitions", 1, "number of partitions")
	flags.DurationVar(&o.Retention, "retention", kafka.DefaultRetention, "time that messages are kept; negative: for ever")
	flags.Int64Var(&o.RetentionBytes, "retention-bytes", 0, "size of a partition beyond which the oldest messages go; 0: no limit")
	flags.IntVar(&o.MaxMessageBytes, "max-message", kafka.DefaultMaxMessageBytes, "largest message in bytes, with its overhead")
	flags.Func("cleanup-policy", "delete (the default), compact or compact,delete", o.SetCleanupPolicy)
	flags.BoolVar(&o.Compact, "compact", false, "keep the last message of each key, whatever its age")
	if err := Parse(flags, args, "table", "cluster", "name"); err != nil {
		return err
	}
	engine, c, err := d.cluster(ctx, *cluster)
	if err != nil {
		return err
	}
	t, err := engine.CreateTopic(ctx, c, *name, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Topic %q with %d partitions.\n", t.Name, t.Partitions)
	return nil
}

func deleteKafkaTopic(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	d := deploymentFlags(flags)
	cluster := flags.String("cluster", "", "id of the cluster")
	name := flags.String("name", "", "name of the topic")
	if err := Parse(flags, args, "table", "cluster", "name"); err != nil {
		return err
	}
	engine, c, err := d.cluster(ctx, *cluster)
	if err != nil {
		return err
	}
	if err := engine.DeleteTopic(ctx, c, *name); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Topic %q is deleted.\n", *name)
	return nil
}

func mintKafkaCredential(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	d := deploymentFlags(flags)
	m := mintingFlags(flags)
	cluster := flags.String("cluster", "", "id of the cluster")
	permission := flags.String("permission", string(token.PermitAll), "all, produce or consume")
	topics := flags.String("topics", "*", "a topic's name, or a prefix that ends in '*'")
	groups := flags.String("groups", "", "a group's name, or a prefix that ends in '*'; all if empty")
	if err := Parse(flags, args, "table", "key", "cluster"); err != nil {
		return err
	}
	mint, err := m.signer()
	if err != nil {
		return err
	}
	engine, c, err := d.cluster(ctx, *cluster)
	if err != nil {
		return err
	}
	claims := token.Claims{
		CredentialID: rand.Text(),
		Resource:     c.ID,
		Products:     []string{token.ProductKafka},
		Scope:        token.ReadWrite,
		Generation:   c.CredentialGeneration,
		Topics:       token.TopicRule{Permission: token.Permission(*permission), Topics: *topics},
		Groups:       token.GroupRule(*groups),
	}
	signed, err := mint(claims)
	if err != nil {
		return err
	}
	if err := keepPassword(ctx, engine, signed); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Credential %s of Kafka cluster %q. UPSTASH_KAFKA_REST_USERNAME and UPSTASH_KAFKA_REST_PASSWORD:\n", claims.CredentialID, c.Name)
	fmt.Fprintf(stdout, "%s\n%s\n", claims.KafkaUsername(), signed)
	return nil
}

// keepPassword makes a password known to clients that use SCRAM.
func keepPassword(ctx context.Context, engine *kafka.Engine, password string) error {
	claims, err := token.Unverified(password)
	if err != nil {
		return err
	}
	return engine.KeepPassword(ctx, claims, password)
}

func addScram(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	d := deploymentFlags(flags)
	if err := Parse(flags, args, "table"); err != nil {
		return err
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the password: %w", err)
	}
	password := strings.TrimSpace(line)
	claims, err := token.Unverified(password)
	if err != nil {
		return err
	}
	engine, _, err := d.cluster(ctx, claims.Resource)
	if err != nil {
		return err
	}
	if err := engine.KeepPassword(ctx, claims, password); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Credential %s can be used with SCRAM.\n", claims.CredentialID)
	return nil
}

func revokeKafkaCredential(ctx context.Context, flags *flag.FlagSet, args []string, _, stderr io.Writer) error {
	d := deploymentFlags(flags)
	cluster := flags.String("cluster", "", "id of the cluster")
	credential := flags.String("credential", "", "credential id, as mint-kafka-credential printed it")
	if err := Parse(flags, args, "table", "cluster", "credential"); err != nil {
		return err
	}
	engine, c, err := d.cluster(ctx, *cluster)
	if err != nil {
		return err
	}
	if err := engine.RevokeCredential(ctx, c.ID, *credential, time.Time{}); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "Credential %s opens nothing any more, everywhere within %v.\n", *credential, contract.RecordTTL)
	return nil
}
