// Package awscontrol opens the control plane over DynamoDB and Parameter Store, with the engines of
// the products that it works on.
package awscontrol

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/skystash/skystash/functions/backend/awskafka"
	"github.com/skystash/skystash/functions/backend/awsqstash"
	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/control/ssmkeys"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/objects/s3"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// Config is what Open needs.
type Config struct {
	Table       string
	KeyPath     string   // of the signing keys in Parameter Store; "": it signs nothing
	Audience    string   // of tokens; "": token.DefaultAudience
	Region      string   // that resources are said to be in
	ReadRegions []string // where databases are read besides
	Endpoints   control.Endpoints
	SSMEndpoint string // instead of Parameter Store's own; "": none

	BackupBucket string // of S3, for backups of databases; "": there are none
	S3Endpoint   string // instead of S3's own; "": none

	// The products; without a table: not deployed.
	Redis  awsredis.Config
	Kafka  awskafka.Config
	QStash awsqstash.Config

	Logger *slog.Logger // nil: slog.Default
}

// Environment reads the settings of the control plane. A product is deployed if its table is named.
func Environment(env *settings.Environment) Config {
	cfg := Config{
		Table:    env.Require("TABLE_NAME", "the DynamoDB table of the control plane"),
		KeyPath:  env.Require("KEY_PATH", "the path in Parameter Store that signing keys are under"),
		Audience: env.Get("TOKEN_AUDIENCE"),
		Region:   env.Require("AWS_REGION", "the region that resources are said to be in, which Lambda sets"),
		Endpoints: control.Endpoints{
			Redis:  strings.TrimSuffix(env.Get("REDIS_URL"), "/"),
			Kafka:  strings.TrimSuffix(env.Get("KAFKA_URL"), "/"),
			QStash: strings.TrimSuffix(env.Get("QSTASH_URL"), "/"),
		},
		ReadRegions:  strings.FieldsFunc(env.Get("READ_REGIONS"), func(r rune) bool { return r == ',' }),
		SSMEndpoint:  env.Get("SSM_ENDPOINT"),
		BackupBucket: env.Get("BACKUP_BUCKET"),
		S3Endpoint:   env.Get("S3_ENDPOINT"),
	}
	product := func(variable string, read func(*settings.Environment)) {
		if table := env.Get(variable); table != "" {
			env.With("TABLE_NAME", table, read)
		}
	}
	gateway := env.Get("GATEWAY_HOST")
	product("REDIS_TABLE", func(env *settings.Environment) {
		cfg.Redis = awsredis.Environment(env)
		if gateway != "" {
			cfg.Endpoints.RedisTCP = control.RedisServer{TLSAddress: net.JoinHostPort(gateway, "6379")}
		}
	})
	product("KAFKA_TABLE", func(env *settings.Environment) {
		cfg.Kafka = awskafka.Environment(env)
		if gateway != "" {
			cfg.Endpoints.KafkaTCP = control.Broker{Address: net.JoinHostPort(gateway, "9092"), TLS: true}
		}
	})
	product("QSTASH_TABLE", func(env *settings.Environment) { cfg.QStash = awsqstash.Environment(env) })
	return cfg
}

// Control is the control plane with what it works on; products that are not deployed are nil.
type Control struct {
	Engine *control.Engine
	Store  store.Store
	Redis  *redis.Engine
	Kafka  *kafka.Engine
	QStash *qstash.Engine

	Backups *backup.Backups // nil: there is no place for them
}

// Open opens the control plane; tables, stream, queue and group must exist.
func Open(ctx context.Context, in *cloud.Cloud, cfg Config) (*Control, error) {
	c := &Control{Store: in.Table(cfg.Table)}
	var directories []keydir.Directory
	if cfg.Redis.Table != "" {
		cfg.Redis.Logger = cfg.Logger
		r, err := awsredis.Open(in, cfg.Redis)
		if err != nil {
			return nil, err
		}
		c.Redis = r.Engine
		directories = append(directories, keydir.Directory{Store: r.Table})
	}
	if cfg.Kafka.Table != "" {
		cfg.Kafka.Logger = cfg.Logger
		k, err := awskafka.Open(in, cfg.Kafka)
		if err != nil {
			return nil, err
		}
		c.Kafka = k.Engine
		directories = append(directories, keydir.Directory{Store: k.Table})
	}
	if cfg.QStash.Table != "" {
		cfg.QStash.Logger = cfg.Logger
		q, err := awsqstash.Open(in, cfg.QStash)
		if err != nil {
			return nil, err
		}
		c.QStash = q.Engine
		directories = append(directories, keydir.Directory{Store: q.Table})
	}
	var keyring control.Keyring
	if cfg.KeyPath != "" {
		keyring = ssmkeys.New(ssm.NewFromConfig(in.AWS, func(o *ssm.Options) {
			if cfg.SSMEndpoint != "" {
				o.BaseEndpoint = &cfg.SSMEndpoint
			}
		}), cfg.KeyPath)
	}
	var forget control.Backups // stays nil without a bucket, which a nil *backup.Backups would not be
	if cfg.BackupBucket != "" && c.Redis != nil {
		bucket := s3.New(in.AWS, cfg.BackupBucket, s3.Options{Endpoint: cfg.S3Endpoint})
		c.Backups = backup.New(backup.Config{Redis: c.Redis, Objects: bucket, Now: time.Now})
		forget = c.Backups
	}
	c.Engine = control.New(control.Config{
		Store: c.Store, Keyring: keyring, Audience: cfg.Audience, Redis: c.Redis, Kafka: c.Kafka, QStash: c.QStash,
		Directories: directories, Endpoints: cfg.Endpoints, Backups: forget, Region: cfg.Region, Logger: cfg.Logger,
	})
	if keyring == nil {
		return c, nil
	}
	return c, c.Engine.EnsureSigningKey(ctx)
}
