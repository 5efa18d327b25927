package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/token"
)

// Meter reads METER: with "lines", each request leaves a line of the embedded metric format in the log,
// for functions/meter; not set: it leaves nothing.
func (e *Environment) Meter() meter.Recorder {
	switch mode := e.Get("METER"); mode {
	case "":
	case "lines":
		return meter.NewWriter(os.Stdout, rand.Text())
	default:
		e.Fault("METER", fmt.Errorf("%q is not lines", mode))
	}
	return nil
}

// UsageConfig is what OpenUsage needs. Region and credentials come from where AWS's tools look for them.
type UsageConfig struct {
	Table    string            // the control table
	Products map[string]string // tables of products that limits can block, by product
	Endpoint string            // instead of DynamoDB's own; "": none
	Logger   *slog.Logger      // nil: slog.Default
}

// Usage reads TABLE_NAME, REDIS_TABLE_NAME, KAFKA_TABLE_NAME, QSTASH_TABLE_NAME and DYNAMODB_ENDPOINT.
func (e *Environment) Usage() UsageConfig {
	cfg := UsageConfig{
		Table:    e.Require("TABLE_NAME", "the control table, which holds usage and limits"),
		Products: map[string]string{},
		Endpoint: e.Get("DYNAMODB_ENDPOINT"),
	}
	for product, name := range map[string]string{
		token.ProductRedis: "REDIS_TABLE_NAME", token.ProductKafka: "KAFKA_TABLE_NAME", token.ProductQStash: "QSTASH_TABLE_NAME",
	} {
		if table := e.Get(name); table != "" {
			cfg.Products[product] = table
		}
	}
	return cfg
}

// Usage is what usage is counted with.
type Usage struct {
	Folder  *meter.Folder
	Limiter *meter.Limiter
	Sizer   *meter.Sizer
	Control *control.Engine // which knows the resources
}

// OpenUsage opens what counts usage in the control table, which must exist.
func OpenUsage(ctx context.Context, cfg UsageConfig) (*Usage, error) {
	if cfg.Table == "" {
		return nil, errors.New("open the usage: no table")
	}
	client, err := DynamoDB(ctx, cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	st := dynamo.New(client, cfg.Table)
	block := map[string]func(context.Context, string, meter.Block) error{}
	measure := map[string]func(context.Context, string) (meter.Storage, error){}
	for product, table := range cfg.Products {
		engine := metered(product, dynamo.New(client, table), cfg.Logger)
		block[product], measure[product] = engine.Block, engine.Size
	}
	plane := control.New(control.Config{Store: st, Logger: cfg.Logger})
	return &Usage{
		Folder: meter.NewFolder(meter.FolderConfig{Store: st, Logger: cfg.Logger}),
		Limiter: meter.NewLimiter(meter.LimiterConfig{
			Store:  st,
			Limits: plane.Limits,
			Block:  block,
			Cost:   price.Cost,
			Logger: cfg.Logger,
		}),
		Sizer:   meter.NewSizer(meter.SizerConfig{Store: st, Measure: measure, Logger: cfg.Logger}),
		Control: plane,
	}, nil
}

// engine is what an engine does for those who count usage.
type engine interface {
	Block(ctx context.Context, id string, b meter.Block) error
	Size(ctx context.Context, id string) (meter.Storage, error)
}

// metered makes a product's engine, which serves nobody.
func metered(product string, st store.Store, log *slog.Logger) engine {
	switch product {
	case token.ProductRedis:
		return redis.New(redis.Config{Store: st, Logger: log, RecordTTL: RecordTTL})
	case token.ProductKafka:
		return kafka.New(kafka.Config{Store: st, Logger: log, RecordTTL: RecordTTL})
	}
	return qstash.New(qstash.Config{Store: st, Logger: log, AccountTTL: RecordTTL})
}
