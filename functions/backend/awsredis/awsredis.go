// Package awsredis opens the Redis engine over DynamoDB.
package awsredis

import (
	"errors"
	"log/slog"

	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
)

// Config is what Open needs.
type Config struct {
	Table      string
	ReadRegion *ReadRegion  // nil: this is the primary region
	Resident   *Resident    // nil: the process is an instance of a Lambda function
	Logger     *slog.Logger // nil: slog.Default
}

// ReadRegion says that the table in the region at hand is a replica, which reads are served from.
type ReadRegion struct {
	Name       string
	Primary    string // region of the table that is written to
	MarksTable string // see redis.Region
}

// Resident is what a process has that stays and serves many clients at a time.
type Resident struct {
	Turns         int // see redis.Config
	MaxReplyBytes int
	// Neighbours makes what tells other such processes of writes.
	Neighbours func(store.Store) redis.Neighbours
}

// Environment reads TABLE_NAME.
func Environment(env *settings.Environment) Config {
	return Config{Table: env.Require("TABLE_NAME", "the DynamoDB table that holds the databases")}
}

// ReadRegionOf reads PRIMARY_REGION and, if that is set, MARKS_TABLE and AWS_REGION. The result is
// nil if it is not: this is the primary region.
func ReadRegionOf(env *settings.Environment) *ReadRegion {
	primary := env.Get("PRIMARY_REGION")
	if primary == "" {
		return nil
	}
	return &ReadRegion{
		Name:       env.Require("AWS_REGION", "the read region, which Lambda tells"),
		Primary:    primary,
		MarksTable: env.Require("MARKS_TABLE", "the read region's own DynamoDB table, of marks"),
	}
}

// Redis is the engine with the table it works on.
type Redis struct {
	Engine *redis.Engine
	Table  store.Store // in the region at hand
}

// Open opens the engine; the table must exist.
func Open(c *cloud.Cloud, cfg Config) (Redis, error) {
	if cfg.Table == "" {
		return Redis{}, errors.New("open the Redis engine: no table")
	}
	table := c.Table(cfg.Table)
	engine := redis.Config{
		Store:         table,
		Logger:        cfg.Logger,
		RecordTTL:     contract.RecordTTL,
		MaxReplyBytes: contract.MaxCommandBytes,
	}
	if r := cfg.ReadRegion; r != nil {
		engine.Region = &redis.Region{Replica: table, Marks: c.Table(r.MarksTable)}
		engine.Store = c.TableIn(r.Primary, cfg.Table)
	}
	if r := cfg.Resident; r != nil {
		engine.Turns, engine.MaxReplyBytes, engine.Neighbours = r.Turns, r.MaxReplyBytes, r.Neighbours(table)
	}
	return Redis{redis.New(engine), table}, nil
}
