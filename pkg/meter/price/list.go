package price

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

//go:embed prices.json
var text []byte

// List is the content of prices.json, in dollars. A GB is 10^9 bytes, except of DynamoDB, whose GB has 2^30.
type List struct {
	AsOf     string `json:"as_of"` // year and month
	Region   string `json:"region"`
	Currency string `json:"currency"`
	AWS      struct {
		DynamoDB struct {
			Source            string  `json:"source"`
			MillionReadUnits  float64 `json:"million_read_units"`
			MillionWriteUnits float64 `json:"million_write_units"`
			GBMonth           float64 `json:"gb_month"`
			RecoveryGBMonth   float64 `json:"recovery_gb_month"` // backups of any second of the last 35 days, which tables have
		} `json:"dynamodb"`
		Lambda struct {
			Source          string  `json:"source"`
			MillionRequests float64 `json:"million_requests"`
			GBSecond        float64 `json:"gb_second"`
		} `json:"lambda_arm64"`
		HTTPAPI struct {
			Source          string  `json:"source"`
			MillionRequests float64 `json:"million_requests"`
		} `json:"http_api"`
		Kinesis struct {
			Source             string  `json:"source"`
			MillionPutUnits    float64 `json:"million_put_units"`
			PutUnitBytes       int64   `json:"put_unit_bytes"`
			ShardHour          float64 `json:"shard_hour"`
			OnDemandStreamHour float64 `json:"on_demand_stream_hour"`
			OnDemandGBIn       float64 `json:"on_demand_gb_in"`
			OnDemandGBOut      float64 `json:"on_demand_gb_out"`
		} `json:"kinesis"`
		SQS struct {
			Source          string  `json:"source"`
			MillionRequests float64 `json:"million_requests"`
		} `json:"sqs"`
		Scheduler struct {
			Source             string  `json:"source"`
			MillionInvocations float64 `json:"million_invocations"`
		} `json:"scheduler"`
		Logs struct {
			Source     string  `json:"source"`
			GBIngested float64 `json:"gb_ingested"`
			GBMonth    float64 `json:"gb_month"`
		} `json:"cloudwatch_logs"`
		CloudWatch struct {
			Source         string  `json:"source"`
			AlarmMonth     float64 `json:"alarm_month"`  // of each metric of an alarm
			FreeAlarms     int     `json:"free_alarms"`  // of an AWS account, for ever
			MetricMonth    float64 `json:"metric_month"` // a custom one; by the hours that it has values in
			DashboardMonth float64 `json:"dashboard_month"`
			FreeDashboards int     `json:"free_dashboards"`
		} `json:"cloudwatch"`
		KMS struct {
			Source   string  `json:"source"`
			KeyMonth float64 `json:"key_month"`
		} `json:"kms"`
		Secrets struct {
			Source      string  `json:"source"`
			SecretMonth float64 `json:"secret_month"`
		} `json:"secrets"`
		Fargate struct {
			Source      string  `json:"source"`
			CPUHour     float64 `json:"cpu_hour"`
			GBHour      float64 `json:"gb_hour"`
			AddressHour float64 `json:"address_hour"` // a public IPv4 address
		} `json:"fargate_arm64"`
		Balancer struct {
			Source string  `json:"source"`
			Hour   float64 `json:"hour"` // of a network load balancer, without its capacity units
		} `json:"balancer"`
		ElastiCache struct {
			Source      string  `json:"source"`
			GBHour      float64 `json:"gb_hour"`
			LeastGB     float64 `json:"least_gb"`
			MillionECPU float64 `json:"million_ecpu"` // of simple commands on up to 1 KB
		} `json:"elasticache_serverless"`
		Transfer struct {
			Source string  `json:"source"`
			GBOut  float64 `json:"gb_out"`
		} `json:"transfer"`
	} `json:"aws"`
	Upstash map[string]Plan `json:"upstash"` // by product: pay as you go
}

// Plan is a price list of Upstash's.
type Plan struct {
	Source                  string  `json:"source"`
	HundredThousandCommands float64 `json:"hundred_thousand_commands"`
	GBMonth                 float64 `json:"gb_month"`
	FreeGB                  float64 `json:"free_gb"`
	GBTransfer              float64 `json:"gb_transfer"`
	FreeGBTransfer          float64 `json:"free_gb_transfer"` // of a month

	FreeCommandsMonth float64     `json:"free_commands_month"` // of the free plan
	PackMonth         float64     `json:"pack_month"`          // the Prod Pack, for each database
	Fixed             []FixedPlan `json:"fixed"`
}

// FixedPlan is a plan with a price by the month, whatever the number of commands.
type FixedPlan struct {
	Name       string  `json:"name"`
	Month      float64 `json:"month"`
	GB         float64 `json:"gb"`          // that may be stored
	GBTransfer float64 `json:"gb_transfer"` // of a month
}

// maxAge is how old a price list may be that a release is made with, in months.
const maxAge = 6

// Check reports a list that is too old at a time for a release: somebody has to look at the sources again.
func (l *List) Check(now time.Time) error {
	asOf, err := time.Parse("2006-01", l.AsOf)
	if err != nil {
		return fmt.Errorf("prices.json: as_of: %w", err)
	}
	if end := asOf.AddDate(0, maxAge+1, 0); !now.Before(end) {
		return fmt.Errorf("prices.json is of %s, more than %d months old: compare it with its sources, then set as_of, and write the cost tables anew", l.AsOf, maxAge)
	}
	return nil
}

// Prices is the price list. It must not be changed.
var Prices = sync.OnceValue(func() *List {
	list := &List{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(list); err != nil {
		panic(fmt.Sprintf("price: prices.json: %v", err)) // it is part of the executable, and tested
	}
	return list
})
