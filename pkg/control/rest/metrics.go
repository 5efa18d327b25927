package rest

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
)

// metricsPath is where Prometheus reads the metrics of an account's resources, or of the one that ?resource= names, with an e-mail
// address and an API key, which may be one for metrics alone.
//
// They come from the usage that is kept: counters are those of the UTC month, and begin anew with it, which Prometheus takes for a
// restart. So they are the same from every instance, and as late as usage is. Each call reads a few items for each resource,
// and for a Kafka cluster the heads of the partitions that its groups have read.
const metricsPath = "/metrics"

// metric is a family of metrics.
type metric struct {
	name, kind, help string
	lines            bytes.Buffer
}

// metrics are families by the order in which they were first added to.
type metrics struct {
	list   []*metric
	byName map[string]*metric
}

// family is a family, which begins if there is none.
func (m *metrics) family(name, kind, help string) *metric {
	f := m.byName[name]
	if f == nil {
		f = &metric{name: "skystash_" + name, kind: kind, help: help}
		if m.byName == nil {
			m.byName = map[string]*metric{}
		}
		m.byName[name] = f
		m.list = append(m.list, f)
	}
	return f
}

// text is the exposition format of Prometheus.
func (m *metrics) text() []byte {
	var b bytes.Buffer
	for _, f := range m.list {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
		b.Write(f.lines.Bytes())
	}
	return b.Bytes()
}

// labels are pairs of a name and a value.
type labels []string

var labelText = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (l labels) text() string {
	parts := make([]string, 0, len(l)/2)
	for i := 0; i+1 < len(l); i += 2 {
		parts = append(parts, l[i]+`="`+labelText.Replace(strings.ToValidUTF8(l[i+1], "�"))+`"`)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (f *metric) add(suffix string, l labels, v float64) {
	f.lines.WriteString(f.name + suffix + l.text() + " " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

// counters are the counters of a class that are exposed.
var counters = []struct {
	name, help string
	of         func(meter.Counters) float64
}{
	{"requests_total", "Requests that were answered, and attempts of QStash to deliver.", func(c meter.Counters) float64 { return float64(c.Requests) }},
	{"commands_total", "Redis commands, and messages of Kafka and QStash.", func(c meter.Counters) float64 { return float64(c.Commands) }},
	{"errors_total", "Commands that were answered with an error, and other requests that were refused or failed.", func(c meter.Counters) float64 { return float64(c.Errors) }},
	{"failed_total", "Requests that were answered with a status from 500, by destinations if the class is deliver.", func(c meter.Counters) float64 { return float64(c.Failed) }},
	{"blocked_total", "Requests that a limit has refused.", func(c meter.Counters) float64 { return float64(c.Blocked) }},
	{"received_bytes_total", "Bytes of requests.", func(c meter.Counters) float64 { return float64(c.BytesIn) }},
	{"sent_bytes_total", "Bytes of answers.", func(c meter.Counters) float64 { return float64(c.BytesOut) }},
	{"read_units_total", "Read request units of DynamoDB.", func(c meter.Counters) float64 { return c.ReadUnits }},
	{"write_units_total", "Write request units of DynamoDB.", func(c meter.Counters) float64 { return c.WriteUnits }},
}

// Bounds of the histogram's buckets, as powers of two of a nanosecond: from 65 microseconds to 34 seconds.
const leastBound, mostBound = 16, 35

func (m *metrics) duration(l labels, s meter.Sketch, busy time.Duration) {
	f := m.family("request_duration_seconds", "histogram", "How long requests took; of the class deliver, how long destinations took.")
	n := int64(0)
	next, stop := leastBound, false
	put := func() {
		f.add("_bucket", append(l[:len(l):len(l)], "le", strconv.FormatFloat(float64(int64(1)<<next)/1e9, 'g', -1, 64)), float64(n))
		next++
		stop = next > mostBound
	}
	for bucket, count := range s.All() {
		for !stop && meter.BucketBound(bucket) > time.Duration(1)<<next {
			put()
		}
		n += count
	}
	for !stop {
		put()
	}
	f.add("_bucket", append(l[:len(l):len(l)], "le", "+Inf"), float64(s.Count()))
	f.add("_sum", l, busy.Seconds())
	f.add("_count", l, float64(s.Count()))
}

// resource adds the metrics of a resource.
func (m *metrics) resource(x *exchange, r *control.Resource) error {
	l := labels{"resource", r.ID, "name", r.Name, "product", string(r.Product)}
	now, of := x.cfg.Now().UTC(), meterOf(r)
	month, err := x.cfg.Book.Month(x.ctx, of, now)
	if err != nil {
		return err
	}
	stored, err := x.cfg.Book.Storage(x.ctx, of)
	if err != nil {
		return err
	}
	for _, c := range month.Classes {
		class := append(l[:len(l):len(l)], "class", c.Class)
		for _, one := range counters {
			m.family(one.name, "counter", one.help).add("", class, one.of(c.Counters))
		}
		m.duration(class, c.Latency, c.Counters.Busy)
	}
	if r.Product == control.Redis {
		m.family("hits_total", "counter", "Keys that reading commands have found.").add("", l, float64(month.Counters.Hits))
		m.family("misses_total", "counter", "Keys that reading commands have not found.").add("", l, float64(month.Counters.Misses))
	}
	if !stored.At.IsZero() {
		m.family("storage_bytes", "gauge", "Bytes that are stored, when they were measured last.").add("", l, float64(stored.Bytes))
		m.family("storage_measured_seconds", "gauge", "When storage was measured, in Unix time.").add("", l, float64(stored.At.Unix()))
	}
	m.family("month_cost_dollars", "gauge", "What the UTC month has cost on AWS so far, by list prices.").add("", l, price.Cost(string(r.Product), month, stored, now))
	if r.Product == control.Kafka && x.cfg.Kafka != nil {
		return m.lag(x, r, l)
	}
	return nil
}

// lag adds the lag of a cluster's groups.
func (m *metrics) lag(x *exchange, r *control.Resource, l labels) error {
	cluster, err := x.cfg.Kafka.Cluster(x.ctx, r.ID)
	if err != nil {
		return err
	}
	groups, err := x.cfg.Kafka.Lags(x.ctx, cluster)
	if err != nil {
		return err
	}
	f := m.family("kafka_lag", "gauge", "Messages that a group has not committed; all of a partition's where it has committed none.")
	for _, g := range groups {
		for _, p := range g.Partitions {
			f.add("", append(l[:len(l):len(l)], "group", g.Name, "topic", p.Topic, "partition", strconv.Itoa(p.Partition)), float64(p.Unread()))
		}
	}
	return nil
}

// metrics answers Prometheus.
func (h *Handler) metrics(r *http.Request) (text []byte, err error) {
	defer edge.Recover(&err)
	x := &exchange{Handler: h, ctx: r.Context(), r: r, own: true}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, edge.NotAllowed("method not allowed", http.MethodGet)
	}
	if err := x.authenticate(h.cfg.Engine.OpenMetrics); err != nil {
		return nil, err
	}
	var list []*control.Resource
	if id := r.URL.Query().Get("resource"); id != "" {
		one, err := h.cfg.Engine.Resource(x.ctx, x.acct.ID, id)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	} else if list, err = h.cfg.Engine.Resources(x.ctx, x.acct.ID); err != nil {
		return nil, err
	}
	var m metrics
	for _, one := range list {
		if err := m.resource(x, one); err != nil {
			return nil, err
		}
	}
	return m.text(), nil
}
