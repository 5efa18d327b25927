package meter

import (
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Recorder takes the records of requests. A Writer and an Accumulator are ones. It is called on the
// request's path, so it neither waits nor fails.
type Recorder interface {
	Record(r Record)
}

// A Writer holds records back, and adds them up, so that a line stands for many of them. These are the most that
// it holds.
const (
	holdTime     = time.Minute // from one line to the next
	holdRecords  = 1000
	holdAttempts = 100 // of QStash to deliver: the embedded metric format takes so many values of a metric
)

// Writer writes lines for functions/meter, which say what the requests of an instance have used. It is made
// for AWS Lambda, which freezes a process between its requests: a Writer does nothing in the background.
//
// It writes a line within a request: the first one; the first one for which a minute has passed since the last
// line; and one with which it holds 1,000 records. An instance that serves a request now and then has a line for
// each, a busy one has a line a minute. Flush writes what is left when the process is about to end.
// So a record reaches the log late if its instance is frozen, by as long as that takes, and is lost
// if the process is killed without notice: at most the last minute's and the last 1,000 of the instance.
//
// Attempts to deliver are also metrics of CloudWatch's embedded metric format
// (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html), of the
// namespace Skystash with the dimension product: endpoint (ms), how long the destination took; lag (ms), see
// Record.Lag; and dead, the attempts that were the last one and have failed. What AWS itself measures, the requests
// of functions and of their URLs, is no metric of ours. It is safe for concurrent use.
type Writer struct {
	instance string

	mu      sync.Mutex
	to      io.Writer
	next    int64 // number of the next sum
	wrote   bool
	written time.Time // of the record that the last line was written for
	sums    runningSums
	records int // in sums
	metrics attemptMetrics
}

// NewWriter makes a Writer. The instance's id must be unique for ever: it names all that is written here.
func NewWriter(to io.Writer, instance string) *Writer { return &Writer{to: to, instance: instance} }

// Record adds a record to what is held, and writes it if it is time to.
func (w *Writer) Record(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sums.at(r.key()).add(&r)
	w.records++
	if r.Class == ClassDeliver {
		w.metrics.add(&r)
	}
	age := r.At.Sub(w.written)
	if !w.wrote || age >= holdTime || age <= -holdTime || w.records == holdRecords || w.metrics.full() {
		w.flush(r.At)
	}
}

// Flush writes what is held.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flush(w.written)
}

// flush writes lines. One that cannot be written, or is lost on its way, leaves a gap among the numbers.
func (w *Writer) flush(at time.Time) {
	w.wrote, w.written = true, at
	if w.records == 0 {
		return
	}
	var sums []Sum
	for _, key := range slices.SortedFunc(maps.Keys(w.sums), sumKey.compare) {
		sum := key.empty()
		w.sums[key].addTo(sum)
		sums = append(sums, sum.split()...)
	}
	for some := range slices.Chunk(sums, maxLineSums) {
		_, _ = w.to.Write(appendLine(nil, w.instance, w.next, some, w.metrics))
		w.next += int64(len(some))
		w.metrics = attemptMetrics{}
	}
	clear(w.sums)
	w.records = 0
}
