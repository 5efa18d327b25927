package backend

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/ssmkeys"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// ControlConfig is what OpenControl needs. Region and credentials come from where AWS's tools
// look for them.
type ControlConfig struct {
	Table            string
	KeyPath          string   // of the signing keys in Parameter Store; "": it signs nothing
	Audience         string   // of tokens; "": token.DefaultAudience
	Region           string   // that resources are said to be in
	ReadRegions      []string // where databases are read besides
	Endpoints        control.Endpoints
	DynamoDBEndpoint string // instead of AWS's own; "": none
	SSMEndpoint      string

	// The products; a zero field: not deployed.
	Redis  RedisConfig
	Kafka  KafkaConfig
	QStash QStashConfig

	Logger *slog.Logger // nil: slog.Default
}

// Control reads the settings of the control plane. A product is deployed if its table is named.
func (e *Environment) Control() ControlConfig {
	endpoint := e.Get("DYNAMODB_ENDPOINT")
	cfg := ControlConfig{
		Table:    e.Require("TABLE_NAME", "the DynamoDB table of the control plane"),
		KeyPath:  e.Require("KEY_PATH", "the path in Parameter Store that signing keys are under"),
		Audience: e.Get("TOKEN_AUDIENCE"),
		Region:   e.Require("AWS_REGION", "the region that resources are said to be in, which Lambda sets"),
		Endpoints: control.Endpoints{
			Redis:  strings.TrimSuffix(e.Get("REDIS_URL"), "/"),
			Kafka:  strings.TrimSuffix(e.Get("KAFKA_URL"), "/"),
			QStash: strings.TrimSuffix(e.Get("QSTASH_URL"), "/"),
		},
		ReadRegions:      strings.FieldsFunc(e.Get("READ_REGIONS"), func(r rune) bool { return r == ',' }),
		DynamoDBEndpoint: endpoint,
		SSMEndpoint:      e.Get("SSM_ENDPOINT"),
	}
	if table := e.Get("REDIS_TABLE"); table != "" {
		cfg.Redis = RedisConfig{Table: table, Endpoint: endpoint}
	}
	if table := e.Get("KAFKA_TABLE"); table != "" {
		cfg.Kafka = KafkaConfig{
			Table: table, Endpoint: endpoint, KinesisEndpoint: e.Get("KINESIS_ENDPOINT"),
			Stream: e.Require("STREAM_NAME", "the Kinesis stream that messages are put into"),
		}
	}
	if table := e.Get("QSTASH_TABLE"); table != "" {
		inner := &Environment{Getenv: func(name string) string {
			if name == "TABLE_NAME" {
				return table
			}
			return e.Getenv(name)
		}}
		cfg.QStash = inner.QStash()
		e.problems = append(e.problems, inner.problems...)
	}
	return cfg
}

// Control is the control plane with what it works on; products that are not deployed are nil.
type Control struct {
	Engine *control.Engine
	Store  store.Store
	Redis  *redis.Engine
	Kafka  *kafka.Engine
	QStash *qstash.Engine
}

// OpenControl opens the control plane; tables, stream, queue and group must exist.
func OpenControl(ctx context.Context, cfg ControlConfig) (*Control, error) {
	db, err := DynamoDB(ctx, cfg.DynamoDBEndpoint)
	if err != nil {
		return nil, err
	}
	c := &Control{Store: dynamo.New(db, cfg.Table)}
	var directories []keydir.Directory
	publishIn := func(table string) {
		directories = append(directories, keydir.Directory{Store: dynamo.New(db, table)})
	}
	if cfg.Redis.Table != "" {
		cfg.Redis.Logger = cfg.Logger
		if c.Redis, err = OpenRedis(ctx, cfg.Redis); err != nil {
			return nil, err
		}
		publishIn(cfg.Redis.Table)
	}
	if cfg.Kafka.Table != "" {
		cfg.Kafka.Logger = cfg.Logger
		if c.Kafka, err = OpenKafka(ctx, cfg.Kafka); err != nil {
			return nil, err
		}
		publishIn(cfg.Kafka.Table)
	}
	if cfg.QStash.Table != "" {
		cfg.QStash.Logger = cfg.Logger
		q, err := OpenQStash(ctx, cfg.QStash)
		if err != nil {
			return nil, err
		}
		c.QStash = q.Engine
		publishIn(cfg.QStash.Table)
	}
	var keyring control.Keyring
	if cfg.KeyPath != "" {
		aws, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("load the AWS configuration: %w", err)
		}
		keyring = ssmkeys.New(ssm.NewFromConfig(aws, func(o *ssm.Options) {
			if cfg.SSMEndpoint != "" {
				o.BaseEndpoint = &cfg.SSMEndpoint
			}
		}), cfg.KeyPath)
	}
	c.Engine = control.New(control.Config{
		Store: c.Store, Keyring: keyring, Audience: cfg.Audience, Redis: c.Redis, Kafka: c.Kafka, QStash: c.QStash,
		Directories: directories, Endpoints: cfg.Endpoints, Region: cfg.Region, Logger: cfg.Logger,
	})
	if keyring == nil {
		return c, nil
	}
	return c, c.Engine.EnsureSigningKey(ctx)
}
