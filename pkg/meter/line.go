package meter

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Namespace is that of all metrics in CloudWatch.
const Namespace = "Skystash"

// LinePattern is the filter pattern of CloudWatch Logs that the lines of a Writer match, and no others: of
// this version and of the one before, which instances of the last deployment still write.
const LinePattern = "{ ($.meter = 1) || ($.meter = 2) }"

// Versions of lines.
const (
	recordVersion = 1 // a record, which is what a Writer wrote once
	lineVersion   = 2
)

// line is what a Writer writes: sums, which have the numbers from Number on. What is zero is left out, and names are short: log
// lines cost by their length.
type line struct {
	AWS      *embedded `json:"_aws,omitempty"` // describes the metrics, if there are any
	Version  int       `json:"meter"`
	Instance string    `json:"id"`
	Number   int64     `json:"n,omitempty"`
	attemptMetrics
	Sums []lineSum `json:"sums"`
}

// lineSum is a Sum.
type lineSum struct {
	Product  string           `json:"p"`
	Resource string           `json:"r"`
	Class    string           `json:"c"`
	Hour     int64            `json:"h"`           // since 1970
	Counters map[string]int64 `json:"n"`           // by the letters of counterNames
	Latency  []int64          `json:"l,omitempty"` // a bucket and its count, again and again
}

// embedded describes metrics in CloudWatch's embedded metric format.
type embedded struct {
	Timestamp         int64 // Unix ms
	CloudWatchMetrics []embeddedMetrics
}

type embeddedMetrics struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []embeddedMetric
}

type embeddedMetric struct {
	Name string
	Unit string `json:",omitempty"`
}

// attemptMetrics are the metrics of attempts to deliver.
type attemptMetrics struct {
	Product  string    `json:"product,omitempty"`  // the dimension
	Endpoint []float64 `json:"endpoint,omitempty"` // ms
	Lag      []int64   `json:"lag,omitempty"`      // ms
	Dead     int       `json:"dead,omitempty"`

	at time.Time // of the last attempt
}

func (m *attemptMetrics) add(r *Record) {
	m.Product, m.at = r.Resource.Product, r.At
	m.Endpoint = append(m.Endpoint, float64(r.Duration)/1e6)
	if r.Lag != nil {
		m.Lag = append(m.Lag, r.Lag.Milliseconds())
	}
	if r.Dead {
		m.Dead++
	}
}

func (m *attemptMetrics) full() bool { return len(m.Endpoint) == holdAttempts }

// describe is what a line says of the metrics; nil: there are none.
func (m *attemptMetrics) describe() *embedded {
	if len(m.Endpoint) == 0 {
		return nil
	}
	metrics := []embeddedMetric{{"endpoint", "Milliseconds"}}
	if len(m.Lag) > 0 {
		metrics = append(metrics, embeddedMetric{"lag", "Milliseconds"})
	}
	if m.Dead > 0 {
		metrics = append(metrics, embeddedMetric{Name: "dead"})
	}
	return &embedded{m.at.UnixMilli(), []embeddedMetrics{{Namespace, [][]string{{"product"}}, metrics}}}
}

// maxLineSums bounds a line: Lambda cuts what is longer than 256 KB, and a sum is at most a kilobyte and a half.
const maxLineSums = 100

// appendLine appends a line with its end.
func appendLine(b []byte, instance string, number int64, sums []Sum, metrics attemptMetrics) []byte {
	l := line{AWS: metrics.describe(), Version: lineVersion, Instance: instance, Number: number, attemptMetrics: metrics}
	for _, s := range sums {
		in := lineSum{
			Product: s.Resource.Product, Resource: s.Resource.ID, Class: s.Class, Hour: s.Hour.Unix() / 3600,
			Counters: map[string]int64{},
		}
		for _, c := range counterNames {
			if n := c.get(&s.Counters); n != 0 {
				in.Counters[c.letter] = n
			}
		}
		for bucket, n := range s.Latency.All() {
			in.Latency = append(in.Latency, int64(bucket), n)
		}
		l.Sums = append(l.Sums, in)
	}
	text, _ := json.Marshal(l) // strings and numbers, which always can be
	return append(append(b, text...), '\n')
}

// What a line may hold: far more than any instance uses, far less than would overflow a sum.
const (
	maxNumber = 1 << 54
	maxName   = 128 // bytes of an id
	maxHour   = 1 << 24
)

// ParseLine reads a line, of this version or of the one before.
func ParseLine(text []byte) ([]Entry, error) {
	var version struct {
		Meter int `json:"meter"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("meter: reading a line: %w", err)
	}
	switch version.Meter {
	case recordVersion:
		e, err := parseRecord(text)
		return []Entry{e}, err
	case lineVersion:
		return parseSums(text)
	}
	return nil, fmt.Errorf("meter: a line of version %d, not %d", version.Meter, lineVersion)
}

func parseSums(text []byte) ([]Entry, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, fmt.Errorf("meter: reading a line: %w", err)
	}
	if l.Instance == "" || len(l.Instance) > maxName || l.Number < 0 || l.Number > maxNumber || len(l.Sums) > maxLineSums {
		return nil, errors.New("meter: a line without a proper instance and number")
	}
	entries := make([]Entry, len(l.Sums))
	for i, in := range l.Sums {
		sum, err := in.sum()
		if err != nil {
			return nil, fmt.Errorf("meter: a line's sum %d: %w", i, err)
		}
		entries[i] = Entry{Instance: l.Instance, Number: l.Number + int64(i), Sum: sum}
	}
	return entries, nil
}

func (in *lineSum) sum() (Sum, error) {
	s := Sum{Resource: Resource{in.Product, in.Resource}, Class: in.Class, Hour: time.Unix(in.Hour*3600, 0).UTC()}
	if err := checkNames(s.Resource, s.Class); err != nil {
		return Sum{}, err
	}
	if in.Hour < 0 || in.Hour > maxHour || len(in.Latency)%2 != 0 {
		return Sum{}, errors.New("neither an hour nor latencies")
	}
	var c ClassUsage
	for letter, n := range in.Counters {
		if n < 0 || n > maxNumber || len(letter) != 1 || letter[0] < 'a' {
			return Sum{}, fmt.Errorf("counter %q is %d", letter, n)
		}
		if err := c.set(letter, n); err != nil {
			return Sum{}, fmt.Errorf("counter %q: %w", letter, err)
		}
	}
	s.Counters = c.Counters
	for i := 0; i < len(in.Latency); i += 2 {
		bucket, n := in.Latency[i], in.Latency[i+1]
		if bucket < 0 || bucket >= Buckets || n < 0 || n > maxNumber {
			return Sum{}, fmt.Errorf("bucket %d is %d", bucket, n)
		}
		s.Latency.add(int(bucket), n)
	}
	return s, nil
}

// checkNames reports whether names can be part of the keys of items.
func checkNames(r Resource, class string) error {
	if r.ID == "" || len(r.ID) > maxName {
		return fmt.Errorf("an id of %d bytes", len(r.ID))
	}
	for _, s := range []string{r.Product, class} {
		if !isWord(s) {
			return fmt.Errorf("the product or class %q", s)
		}
	}
	return nil
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

// recordLine is a line of the version before: one record.
type recordLine struct {
	Instance string `json:"id"`
	Number   int64  `json:"n"`
	AWS      struct {
		Timestamp int64 // Unix ms: Record.At
	} `json:"_aws"`

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

func parseRecord(text []byte) (Entry, error) {
	var l recordLine
	if err := json.Unmarshal(text, &l); err != nil {
		return Entry{}, fmt.Errorf("meter: reading a line: %w", err)
	}
	l.Duration = cmp.Or(l.Duration, l.Endpoint)
	r := Record{
		Resource: Resource{l.Product, l.Resource}, Class: l.Class, At: time.UnixMilli(l.AWS.Timestamp),
		Duration: time.Duration(math.Round(l.Duration * 1e6)), Status: l.Status, Blocked: l.Blocked, Gateway: l.Gateway,
		Commands: l.Commands, BytesIn: l.BytesIn, BytesOut: l.BytesOut, Calls: l.Calls, ReadUnits: l.Read, WriteUnits: l.Write,
	}
	for _, n := range []float64{
		float64(l.Number), float64(l.AWS.Timestamp), l.Duration, float64(l.Commands), float64(l.BytesIn), float64(l.BytesOut),
		float64(l.Calls), l.Read, l.Write,
	} {
		if n < 0 || n > maxRecordNumber {
			return Entry{}, fmt.Errorf("meter: a line with a number out of range: %v", n)
		}
	}
	if l.Instance == "" || len(l.Instance) > maxName {
		return Entry{}, fmt.Errorf("meter: a line with an id of %d bytes", len(l.Instance))
	}
	if err := checkNames(r.Resource, r.Class); err != nil {
		return Entry{}, fmt.Errorf("meter: a line with %w", err)
	}
	return Entry{Instance: l.Instance, Number: l.Number, Sum: r.Sum()}, nil
}

// maxRecordNumber is more than any request uses.
const maxRecordNumber = 1 << 48
