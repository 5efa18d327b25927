// Package awskafka opens the Kafka engine over DynamoDB, Kinesis and S3.
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
	"github.com/skystash/skystash/pkg/kafka/objects/s3"
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/store"
)

// Config is what Open needs.
type Config struct {
	Table           string
	Stream          string
	KinesisEndpoint string       // instead of Kinesis's own; "": none
	Bucket          string       // for the data of large segments; "": none
	BucketWrites    bool         // or the bucket is only read
	S3Endpoint      string       // instead of S3's own; "": none
	Logger          *slog.Logger // nil: slog.Default
}

// Environment reads TABLE_NAME, STREAM_NAME and KINESIS_ENDPOINT; BUCKET_NAME, BUCKET_WRITES ("off": what
// is there is read, and nothing added) and S3_ENDPOINT.
func Environment(env *settings.Environment) Config {
	return Config{
		Table:           env.Require("TABLE_NAME", "the DynamoDB table that holds the clusters"),
		Stream:          env.Require("STREAM_NAME", "the Kinesis stream that messages are put into"),
		KinesisEndpoint: env.Get("KINESIS_ENDPOINT"),
		Bucket:          env.Get("BUCKET_NAME"),
		BucketWrites:    env.Get("BUCKET_WRITES") != "off",
		S3Endpoint:      env.Get("S3_ENDPOINT"),
	}
}

// maxAnswer is what Lambda answers at most, 6 MB, without what it writes around a body.
const maxAnswer = 6_000_000

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
	engine := kafka.Config{
		Store:     table,
		Stream:    kinesis.New(stream, cfg.Stream, kinesis.Options{Logger: cfg.Logger}),
		RecordTTL: contract.RecordTTL,
		Weigh:     rest.Weigh,
		MaxWeight: maxAnswer,
		Logger:    cfg.Logger,
	}
	if cfg.Bucket != "" {
		engine.Objects = s3.New(c.AWS, cfg.Bucket, s3.Options{Endpoint: cfg.S3Endpoint})
		if !cfg.BucketWrites {
			engine.ObjectBytes = -1
		}
	}
	return Kafka{Table: table, Engine: kafka.New(engine)}, nil
}
