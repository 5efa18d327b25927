// Package awsusage opens what counts usage in the control plane's table.
package awsusage

import (
	"context"
	"errors"
	"log/slog"

	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// Config is what Open needs.
type Config struct {
	Table    string            // the control table
	Products map[string]string // tables of products that limits can block, by product
	Logger   *slog.Logger      // nil: slog.Default
}

// Environment reads TABLE_NAME, REDIS_TABLE_NAME, KAFKA_TABLE_NAME and QSTASH_TABLE_NAME.
func Environment(env *settings.Environment) Config {
	cfg := Config{
		Table:    env.Require("TABLE_NAME", "the control table, which holds usage and limits"),
		Products: map[string]string{},
	}
	for product, name := range map[string]string{
		token.ProductRedis: "REDIS_TABLE_NAME", token.ProductKafka: "KAFKA_TABLE_NAME", token.ProductQStash: "QSTASH_TABLE_NAME",
	} {
		if table := env.Get(name); table != "" {
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

// Open opens what counts usage; the tables must exist.
func Open(c *cloud.Cloud, cfg Config) (*Usage, error) {
	if cfg.Table == "" {
		return nil, errors.New("open the usage: no table")
	}
	st := c.Table(cfg.Table)
	block := map[string]func(context.Context, string, meter.Block) error{}
	measure := map[string]func(context.Context, string) (meter.Storage, error){}
	for product, table := range cfg.Products {
		engine := metered(product, c.Table(table), cfg.Logger)
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
		return redis.New(redis.Config{Store: st, Logger: log, RecordTTL: contract.RecordTTL})
	case token.ProductKafka:
		return kafka.New(kafka.Config{Store: st, Logger: log, RecordTTL: contract.RecordTTL})
	}
	return qstash.New(qstash.Config{Store: st, Logger: log, RecordTTL: contract.RecordTTL})
}
