package rest

import (
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
)

// point is a value at a time, as charts of Upstash's clients have it.
type point struct {
	X string  `json:"x"`
	Y float64 `json:"y"`
}

// pointTime is how the API writes times.
const pointTime = "2006-01-02 15:04:05.999999999 -0700 MST"

func series(parts []meter.Usage, value func(meter.Usage) float64) []point {
	out := make([]point, len(parts))
	for i, u := range parts {
		out[i] = point{u.Start.UTC().Format(pointTime), value(u)}
	}
	return out
}

// statsHours and statsDays are how far back statistics go.
const (
	statsHours = 24
	statsDays  = 5
)

// history is what statistics are made of.
type history struct {
	hours, days []meter.Usage
	today       meter.Usage
	month       meter.Usage
	storage     meter.Storage
}

func (x *exchange) history(r *control.Resource) (h history, err error) {
	of, now := meterOf(r), x.cfg.Now().UTC()
	if h.hours, err = x.cfg.Book.Hours(x.ctx, of, now.Add(-(statsHours-1)*time.Hour), now); err != nil {
		return h, err
	}
	if h.days, err = x.cfg.Book.Days(x.ctx, of, now.AddDate(0, 0, 1-statsDays), now); err != nil {
		return h, err
	}
	if h.today, err = x.cfg.Book.Day(x.ctx, of, now); err != nil {
		return h, err
	}
	if h.month, err = x.cfg.Book.Month(x.ctx, of, now); err != nil {
		return h, err
	}
	h.storage, err = x.cfg.Book.Storage(x.ctx, of)
	return h, err
}

// weekdays are the names of the days.
func (h history) weekdays() []string {
	out := make([]string, len(h.days))
	for i, u := range h.days {
		out[i] = u.Start.UTC().Weekday().String()
	}
	return out
}

func commands(classes ...string) func(meter.Usage) float64 {
	return func(u meter.Usage) float64 {
		n := int64(0)
		for _, x := range classes {
			n += u.Class(x).Counters.Commands
		}
		return float64(n)
	}
}

func allCommands(u meter.Usage) float64 { return float64(u.Counters.Commands) }

func bandwidth(u meter.Usage) float64 { return float64(u.Counters.BytesIn + u.Counters.BytesOut) }

// perSecond is the rate of what an hour has.
func perSecond(of func(meter.Usage) float64) func(meter.Usage) float64 {
	return func(u meter.Usage) float64 { return of(u) / time.Hour.Seconds() }
}

func mean(u meter.Usage) float64 { return meanOf(u.Counters) }

func meanOf(x meter.Counters) float64 {
	if x.Requests == 0 {
		return 0
	}
	return millis(x.Busy) / float64(x.Requests)
}

func meanOfClass(class string) func(meter.Usage) float64 {
	return func(u meter.Usage) float64 { return meanOf(u.Class(class).Counters) }
}

func p99OfClass(class string) func(meter.Usage) float64 {
	return func(u meter.Usage) float64 { return millis(u.Class(class).Latency.Quantile(0.99)) }
}

// billing is what days have cost on AWS, in dollars.
func (x *exchange) billing(r *control.Resource, h history) []point {
	now := x.cfg.Now().UTC()
	return series(h.days, func(u meter.Usage) float64 { return price.Day(string(r.Product), u, h.storage, now).Total })
}

// monthlyBilling is what the month has cost so far.
func (x *exchange) monthlyBilling(r *control.Resource, h history) float64 {
	return price.Cost(string(r.Product), h.month, h.storage, x.cfg.Now().UTC())
}

// databaseStats are a database's statistics. What is not counted here is empty.
type databaseStats struct {
	DailyNetCommands     int64    `json:"daily_net_commands"`
	DailyReadRequests    int64    `json:"daily_read_requests"`
	DailyWriteRequests   int64    `json:"daily_write_requests"`
	ConnectionCount      []point  `json:"connection_count"`
	Keyspace             []point  `json:"keyspace"`
	Throughput           []point  `json:"throughput"` // commands a second, of hours
	ProduceThroughput    []point  `json:"produce_throughput"`
	ConsumeThroughput    []point  `json:"consume_throughput"`
	DiskUsage            []point  `json:"diskusage"`   // bytes
	LatencyMean          []point  `json:"latencymean"` // ms
	Latency99            []point  `json:"latency_99"`
	ReadLatencyMean      []point  `json:"read_latency_mean"`
	ReadLatency99        []point  `json:"read_latency_99"`
	WriteLatencyMean     []point  `json:"write_latency_mean"`
	WriteLatency99       []point  `json:"write_latency_99"`
	Hits                 []point  `json:"hits"` // keys that reading commands have found, of hours
	Misses               []point  `json:"misses"`
	Read                 []point  `json:"read"` // commands a second
	Write                []point  `json:"write"`
	DailyRequests        []point  `json:"dailyrequests"` // commands
	Days                 []string `json:"days"`
	DailyBilling         []point  `json:"dailybilling"`   // dollars: what AWS takes, as package price estimates it
	DailyBandwidth       int64    `json:"dailybandwidth"` // bytes, today
	Bandwidths           []point  `json:"bandwidths"`
	MonthlyBandwidth     int64    `json:"total_monthly_bandwidth"`
	MonthlyRequests      int64    `json:"total_monthly_requests"`
	MonthlyReadRequests  int64    `json:"total_monthly_read_requests"`
	MonthlyWriteRequests int64    `json:"total_monthly_write_requests"`
	MonthlyScripts       int64    `json:"total_monthly_script_requests"`
	MonthlyStorage       int64    `json:"total_monthly_storage"` // bytes
	CurrentStorage       int64    `json:"current_storage"`
	MonthlyBilling       float64  `json:"total_monthly_billing"` // dollars, so far
	CommandCounts        []string `json:"command_counts"`
}

var (
	reads  = commands(meter.ClassRead)
	writes = commands(meter.ClassWrite, meter.ClassScript, meter.ClassPubSub)
)

func (x *exchange) databaseStats() (any, error) {
	r, err := x.resource(x.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	h, err := x.history(r)
	if err != nil {
		return nil, err
	}
	return &databaseStats{
		DailyNetCommands: h.today.Counters.Commands, DailyReadRequests: int64(reads(h.today)), DailyWriteRequests: int64(writes(h.today)),
		ConnectionCount: []point{}, Keyspace: []point{}, ProduceThroughput: []point{}, ConsumeThroughput: []point{},
		Hits:       series(h.hours, func(u meter.Usage) float64 { return float64(u.Counters.Hits) }),
		Misses:     series(h.hours, func(u meter.Usage) float64 { return float64(u.Counters.Misses) }),
		Throughput: series(h.hours, perSecond(allCommands)), DiskUsage: h.disk(),
		LatencyMean: series(h.hours, mean), Latency99: series(h.hours, func(u meter.Usage) float64 { return millis(u.P99()) }),
		ReadLatencyMean: series(h.hours, meanOfClass(meter.ClassRead)), ReadLatency99: series(h.hours, p99OfClass(meter.ClassRead)),
		WriteLatencyMean: series(h.hours, meanOfClass(meter.ClassWrite)), WriteLatency99: series(h.hours, p99OfClass(meter.ClassWrite)),
		Read: series(h.hours, perSecond(reads)), Write: series(h.hours, perSecond(writes)),
		DailyRequests: series(h.days, allCommands), Days: h.weekdays(),
		DailyBilling: x.billing(r, h), MonthlyBilling: x.monthlyBilling(r, h),
		DailyBandwidth: int64(bandwidth(h.today)), Bandwidths: series(h.days, bandwidth), MonthlyBandwidth: int64(bandwidth(h.month)),
		MonthlyRequests: h.month.Counters.Commands, MonthlyReadRequests: int64(reads(h.month)), MonthlyWriteRequests: int64(writes(h.month)),
		MonthlyScripts: int64(commands(meter.ClassScript)(h.month)), MonthlyStorage: h.storage.Bytes, CurrentStorage: h.storage.Bytes,
		CommandCounts: []string{},
	}, nil
}

// disk is the one measurement of what is stored that there is.
func (h history) disk() []point {
	if h.storage.At.IsZero() {
		return []point{}
	}
	return []point{{h.storage.At.UTC().Format(pointTime), float64(h.storage.Bytes)}}
}

// kafkaStats are the statistics of a cluster or a topic. Topics are not counted apart, only
// what they store.
type kafkaStats struct {
	Throughput        []point  `json:"throughput"` // messages a second, of hours
	ProduceThroughput []point  `json:"produce_throughput"`
	ConsumeThroughput []point  `json:"consume_throughput"`
	DiskUsage         []point  `json:"diskusage"` // bytes
	Days              []string `json:"days,omitempty"`
	DailyProduce      []point  `json:"dailyproduce,omitempty"`
	DailyConsume      []point  `json:"dailyconsume,omitempty"`
	MonthlyStorage    int64    `json:"total_monthly_storage"`
	MonthlyProduce    int64    `json:"total_monthly_produce"`
	MonthlyConsume    int64    `json:"total_monthly_consume"`
}

var (
	produced = commands(meter.ClassProduce)
	consumed = commands(meter.ClassFetch, meter.ClassConsume)
)

func (x *exchange) clusterStats() (any, error) {
	r, err := x.resource(x.ids[0], control.Kafka)
	if err != nil {
		return nil, err
	}
	h, err := x.history(r)
	if err != nil {
		return nil, err
	}
	return &kafkaStats{
		Throughput: series(h.hours, perSecond(allCommands)), ProduceThroughput: series(h.hours, perSecond(produced)),
		ConsumeThroughput: series(h.hours, perSecond(consumed)), DiskUsage: h.disk(), Days: h.weekdays(),
		DailyProduce: series(h.days, produced), DailyConsume: series(h.days, consumed),
		MonthlyStorage: h.storage.Bytes, MonthlyProduce: int64(produced(h.month)), MonthlyConsume: int64(consumed(h.month)),
	}, nil
}

func (x *exchange) topicStats() (any, error) {
	_, t, err := x.findTopic()
	if err != nil {
		return nil, err
	}
	size, err := x.cfg.Kafka.TopicSize(x.ctx, t)
	if err != nil {
		return nil, err
	}
	now := x.cfg.Now().UTC().Format(pointTime)
	return &kafkaStats{
		Throughput: []point{}, ProduceThroughput: []point{}, ConsumeThroughput: []point{}, DiskUsage: []point{{now, float64(size.Bytes)}},
		MonthlyStorage: size.Bytes,
	}, nil
}
