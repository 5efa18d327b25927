// Package awskafka opens the Kafka engine over DynamoDB and Kinesis.
package awskafka

import (
	"errors"
	"log/slog"

	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/store"
)

// Config is what Open needs.
type Config struct {
	Table           string
	Stream          string
	KinesisEndpoint string       // instead of Kinesis's own; "": none
	Logger          *slog.Logger // nil: slog.Default
}

// Environment reads TABLE_NAME, STREAM_NAME and KINESIS_ENDPOINT.
func Environment(env *settings.Environment) Config {
	return Config{
		Table:           env.Require("TABLE_NAME", "the DynamoDB table that holds the clusters"),
		Stream:          env.Require("STREAM_NAME", "the Kinesis stream that messages are put into"),
		KinesisEndpoint: env.Get("KINESIS_ENDPOINT"),
	}
}

// Kafka is the engine with the table it works on.
type Kafka struct {
	Engine *kafka.Engine
	Table  store.Store
}

// Open opens the engine; table and stream must exist.
func Open(c *cloud.Cloud, cfg Config) (Kafka, error) {
	if cfg.Table == "" || cfg.Stream == "" {
		return Kafka{}, errors.New("open the Kafka engine: no table or no stream")
	}
	stream := awskinesis.NewFromConfig(c.AWS, func(o *awskinesis.Options) {
		if cfg.KinesisEndpoint != "" {
			o.BaseEndpoint = &cfg.KinesisEndpoint
		}
	})
	table := c.Table(cfg.Table)
	return Kafka{Table: table, Engine: kafka.New(kafka.Config{
		Store:     table,
		Stream:    kinesis.New(stream, cfg.Stream, kinesis.Options{Logger: cfg.Logger}),
		RecordTTL: contract.RecordTTL,
		Weigh:     rest.Weigh,
		Logger:    cfg.Logger,
	})}, nil
}
