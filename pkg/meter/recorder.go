package meter

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"time"
)

// Recorder takes the records of requests. A Writer and an Accumulator are ones. It is called on the
// request's path, so it neither waits nor fails.
type Recorder interface {
	Record(r Record)
}

// Writer writes records as lines of CloudWatch's embedded metric format
// (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
// A line becomes two metrics of the namespace Skystash, with the dimension product: duration (ms) and failed (answers with a
// status from 500). An attempt to deliver becomes other metrics: endpoint (ms), how long the destination took, which
// is not our latency, as its failures are not ours; lag (ms), see Record.Lag; and dead, of attempts that were the last one and have failed.
// Metrics cost by their number, so there are no more; everything else of the line is for
// functions/meter. It is safe for concurrent use.
type Writer struct {
	instance string

	mu   sync.Mutex
	to   io.Writer
	next int64
	line []byte
}

// NewWriter makes a Writer. The instance's id must be unique for ever: it names all that is written here.
func NewWriter(to io.Writer, instance string) *Writer { return &Writer{to: to, instance: instance} }

// Record writes one line, with one call of Write. Lines are numbered. A line that cannot be
// written, or is lost on its way, leaves a gap among the numbers.
func (w *Writer) Record(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line = appendLine(w.line[:0], &r, w.instance, w.next)
	w.next++
	_, _ = w.to.Write(w.line)
}

// line is what a line of a record holds, besides the description of metrics.
type line struct {
	Version  int     `json:"meter"` // 1
	Instance string  `json:"id"`
	Number   int64   `json:"n"`
	AWS      lineAWS `json:"_aws"`

	Product  string  `json:"product"`
	Resource string  `json:"resource"`
	Class    string  `json:"class"`
	Status   int     `json:"status"`
	Blocked  bool    `json:"blocked"`
	Gateway  bool    `json:"gateway"`
	Duration float64 `json:"duration"` // ms, to a nanosecond
	Endpoint float64 `json:"endpoint"` // the same, of an attempt to deliver
	Commands int64   `json:"commands"`
	BytesIn  int64   `json:"in"`
	BytesOut int64   `json:"out"`
	Calls    int64   `json:"calls"`
	Read     float64 `json:"rru"`
	Write    float64 `json:"wru"`
}

type lineAWS struct {
	Timestamp int64 // Unix ms: Record.At
}

const lineVersion = 1

// Namespace is that of all metrics in CloudWatch.
const Namespace = "Skystash"

// appendLine appends a line with its end. What is zero is left out: log lines cost by their length.
func appendLine(b []byte, r *Record, instance string, number int64) []byte {
	b = append(b, `{"_aws":{"Timestamp":`...)
	b = strconv.AppendInt(b, r.At.UnixMilli(), 10)
	metrics, duration := `{"Name":"duration","Unit":"Milliseconds"},{"Name":"failed"}`, "duration"
	if r.Class == ClassDeliver {
		metrics, duration = `{"Name":"endpoint","Unit":"Milliseconds"}`, "endpoint"
		if r.Lag != nil {
			metrics += `,{"Name":"lag","Unit":"Milliseconds"}`
		}
		if r.Dead {
			metrics += `,{"Name":"dead"}`
		}
	}
	b = append(b, `,"CloudWatchMetrics":[{"Namespace":"`+Namespace+`","Dimensions":[["product"]],"Metrics":[`...)
	b = append(b, metrics...)
	b = append(b, `]}]},"meter":`...)
	b = strconv.AppendInt(b, lineVersion, 10)
	text := func(name, value string) {
		b = append(b, `,"`...)
		b = append(b, name...)
		b = append(b, `":`...)
		quoted, _ := json.Marshal(value) // strings always can be
		b = append(b, quoted...)
	}
	number64 := func(name string, n int64) {
		if n != 0 {
			b = append(b, `,"`...)
			b = append(b, name...)
			b = append(b, `":`...)
			b = strconv.AppendInt(b, n, 10)
		}
	}
	float := func(name string, f float64) {
		if f != 0 {
			b = append(b, `,"`...)
			b = append(b, name...)
			b = append(b, `":`...)
			b = strconv.AppendFloat(b, f, 'f', -1, 64)
		}
	}
	text("id", instance)
	number64("n", number)
	text("product", r.Resource.Product)
	text("resource", r.Resource.ID)
	text("class", r.Class)
	number64("status", int64(r.Status))
	if r.Blocked {
		b = append(b, `,"blocked":true`...)
	}
	if r.Gateway {
		b = append(b, `,"gateway":true`...)
	}
	b = append(b, `,"`...)
	b = append(b, duration...)
	b = append(b, `":`...)
	b = strconv.AppendFloat(b, float64(r.Duration)/1e6, 'f', -1, 64)
	if r.Lag != nil {
		b = append(b, `,"lag":`...)
		b = strconv.AppendInt(b, r.Lag.Milliseconds(), 10)
	}
	if r.Dead {
		b = append(b, `,"dead":1`...)
	}
	failed := int64(0)
	if r.Status >= 500 {
		failed = 1
	}
	b = append(b, `,"failed":`...)
	b = strconv.AppendInt(b, failed, 10)
	number64("commands", r.Commands)
	number64("in", r.BytesIn)
	number64("out", r.BytesOut)
	number64("calls", r.Calls)
	float("rru", r.ReadUnits)
	float("wru", r.WriteUnits)
	return append(b, "}\n"...)
}

// What a line may hold: far more than any request uses, far less than would overflow a sum.
const (
	maxNumber = 1 << 48
	maxName   = 128 // bytes of an id
)

// ParseLine reads what a Writer has written.
func ParseLine(text []byte) (Entry, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Entry{}, fmt.Errorf("meter: reading a line: %w", err)
	}
	l.Duration = cmp.Or(l.Duration, l.Endpoint)
	r := Record{
		Resource: Resource{l.Product, l.Resource}, Class: l.Class, At: time.UnixMilli(l.AWS.Timestamp),
		Duration: time.Duration(math.Round(l.Duration * 1e6)), Status: l.Status, Blocked: l.Blocked, Gateway: l.Gateway,
		Commands: l.Commands, BytesIn: l.BytesIn, BytesOut: l.BytesOut, Calls: l.Calls, ReadUnits: l.Read, WriteUnits: l.Write,
	}
	if l.Version != lineVersion {
		return Entry{}, fmt.Errorf("meter: a line of version %d, not %d", l.Version, lineVersion)
	}
	for _, n := range []float64{
		float64(l.Number), float64(l.AWS.Timestamp), l.Duration, float64(l.Commands), float64(l.BytesIn), float64(l.BytesOut),
		float64(l.Calls), l.Read, l.Write,
	} {
		if n < 0 || n > maxNumber {
			return Entry{}, fmt.Errorf("meter: a line with a number out of range: %v", n)
		}
	}
	for _, s := range []string{l.Instance, l.Resource} {
		if s == "" || len(s) > maxName {
			return Entry{}, fmt.Errorf("meter: a line with an id of %d bytes", len(s))
		}
	}
	for _, s := range []string{l.Product, l.Class} {
		if !isWord(s) {
			return Entry{}, fmt.Errorf("meter: a line with the product or class %q", s)
		}
	}
	return Entry{Instance: l.Instance, Number: l.Number, Sum: r.Sum()}, nil
}

// isWord reports whether s can be a product or a class: a few lower-case letters.
func isWord(s string) bool {
	for _, c := range s {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return s != "" && len(s) <= 16
}
