package price

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
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
		} `json:"cloudwatch_logs"`
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
