// Package backend opens what the functions of a deployment share with each
// other and with the operator's tools.
package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// RecordTTL is how old a database's record may be in any engine of a
// deployment. FLUSHDB and the revocation of credentials take effect, and are
// answered, after this time.
const RecordTTL = time.Second

// MaxCommandBytes bounds one command and its reply, each. A reply in base64,
// which official clients ask for, still fits Lambda's limit of 6 MiB.
const MaxCommandBytes = 4_500_000

// RedisConfig is what OpenRedis needs. Region and credentials come from where
// AWS's tools look for them.
type RedisConfig struct {
	Table      string
	Endpoint   string       // instead of DynamoDB's own; "": none
	ReadRegion *ReadRegion  // nil: this is the primary region
	Logger     *slog.Logger // nil: slog.Default
}

// ReadRegion says that the table in the region at hand is a replica, which reads are served from.
type ReadRegion struct {
	Name       string
	Primary    string // region of the table that is written to
	MarksTable string // see redis.Region
}

// OpenRedis opens the Redis engine over a DynamoDB table, which must exist.
func OpenRedis(ctx context.Context, cfg RedisConfig) (*redis.Engine, error) {
	if cfg.Table == "" {
		return nil, errors.New("open the Redis engine: no table")
	}
	client, err := DynamoDB(ctx, cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	engine := redis.Config{
		Store:         dynamo.New(client, cfg.Table),
		Logger:        cfg.Logger,
		RecordTTL:     RecordTTL,
		MaxReplyBytes: MaxCommandBytes,
	}
	if r := cfg.ReadRegion; r != nil {
		primary, err := DynamoDB(ctx, cfg.Endpoint, config.WithRegion(r.Primary))
		if err != nil {
			return nil, err
		}
		engine.Region = &redis.Region{Replica: engine.Store, Marks: dynamo.New(client, r.MarksTable)}
		engine.Store = dynamo.New(primary, cfg.Table)
	}
	return redis.New(engine), nil
}

// NewVerifier makes what checks a product's tokens: with the keys of its configuration, and with
// those that the control plane has published in the product's table.
func NewVerifier(ctx context.Context, cfg token.VerifierConfig, table, endpoint string) (*token.Verifier, error) {
	client, err := DynamoDB(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	cfg.Published = keydir.Directory{Store: dynamo.New(client, table)}.Keys
	return token.NewVerifier(cfg)
}

// DynamoDB makes a client, for another endpoint than DynamoDB's own if there is
// one. Options override where region and credentials come from.
func DynamoDB(ctx context.Context, endpoint string, options ...func(*config.LoadOptions) error) (*dynamodb.Client, error) {
	aws, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	return dynamodb.NewFromConfig(aws, func(o *dynamodb.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	}), nil
}
