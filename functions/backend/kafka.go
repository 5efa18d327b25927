package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/config"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/store/dynamo"
)

// MaxKafkaBody bounds a request. Lambda takes 6 MiB, as text in JSON.
const MaxKafkaBody = 5 << 20

// KafkaConfig is what OpenKafka needs. Region and credentials come from where
// AWS's tools look for them.
type KafkaConfig struct {
	Table           string
	Endpoint        string // instead of DynamoDB's own; "": none
	Stream          string
	KinesisEndpoint string       // instead of Kinesis's own; "": none
	Logger          *slog.Logger // nil: slog.Default
}

// OpenKafka opens the Kafka engine over a DynamoDB table and a Kinesis stream, which must exist.
func OpenKafka(ctx context.Context, cfg KafkaConfig) (*kafka.Engine, error) {
	if cfg.Table == "" || cfg.Stream == "" {
		return nil, errors.New("open the Kafka engine: no table or no stream")
	}
	client, err := DynamoDB(ctx, cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	stream := awskinesis.NewFromConfig(aws, func(o *awskinesis.Options) {
		if cfg.KinesisEndpoint != "" {
			o.BaseEndpoint = &cfg.KinesisEndpoint
		}
	})
	return kafka.New(kafka.Config{
		Store:     dynamo.New(client, cfg.Table),
		Stream:    kinesis.New(stream, cfg.Stream, kinesis.Options{Logger: cfg.Logger}),
		RecordTTL: RecordTTL,
		Weigh:     rest.Weigh,
		Logger:    cfg.Logger,
	}), nil
}

// Kafka reads TABLE_NAME, STREAM_NAME, DYNAMODB_ENDPOINT and KINESIS_ENDPOINT.
func (e *Environment) Kafka() KafkaConfig {
	return KafkaConfig{
		Table:           e.Require("TABLE_NAME", "the DynamoDB table that holds the clusters"),
		Endpoint:        e.Get("DYNAMODB_ENDPOINT"),
		Stream:          e.Require("STREAM_NAME", "the Kinesis stream that messages are put into"),
		KinesisEndpoint: e.Get("KINESIS_ENDPOINT"),
	}
}
