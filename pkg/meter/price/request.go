package price

import (
	"fmt"
	"time"
)

// MonthHours is how many hours AWS bills a month as.
const MonthHours = 730

// What a line of usage costs, see meter.Writer: measured by integration/bench/costs.
const (
	LineBytes     = 400 // of a busy instance, with what CloudWatch Logs adds to each event
	loneLineBytes = 250 // of a single request
	foldReads     = 3   // request units of the invocation of functions/meter that counts it
	foldWrites    = 6
	foldSeconds   = 0.05
	foldGB        = 0.25
)

// A line is for the requests of a minute, at most so many.
const (
	holdSeconds  = 60
	lineRequests = 1000
)

// Request is what a request takes, or a command that is a part of one.
type Request struct {
	ReadUnits, WriteUnits float64
	Requests              float64       // of Lambda: 1, or a tenth of a command in a pipeline of ten
	Duration              time.Duration // of a request
	GB                    float64       // memory of the function; 0: that of those that serve
	Rate                  float64       // requests a second of the instance; 0: neither counted nor checked
}

// What an instance reads beside: the record of the database after a second, and the keys of tokens after four.
const (
	recordSeconds = 1
	keysSeconds   = 4
)

// perLine is how many requests share a line of usage.
func (r *Request) perLine() float64 { return min(lineRequests, max(1, r.Rate*holdSeconds)) }

// checkReads are the units that a request reads of records and keys.
func (r *Request) checkReads() float64 {
	return min(1, 1/(r.Rate*recordSeconds)) + min(1, 1/(r.Rate*keysSeconds))
}

// Dollars is what requests cost, by what takes the money.
type Dollars struct {
	DynamoDB, Lambda, Counting, HTTPAPI float64
	Checks                              float64 // who may do this: the database's record and the keys of tokens
}

// Total is the sum, behind a function URL or an HTTP API.
func (d Dollars) Total(gateway bool) float64 {
	t := d.DynamoDB + d.Lambda + d.Counting + d.Checks
	if gateway {
		t += d.HTTPAPI
	}
	return t
}

// Million is what a million such requests cost.
func (l *List) Million(r Request) Dollars {
	if r.GB == 0 {
		r.GB = functionGB
	}
	d := Dollars{
		DynamoDB: r.ReadUnits*l.AWS.DynamoDB.MillionReadUnits + r.WriteUnits*l.AWS.DynamoDB.MillionWriteUnits,
		Lambda:   r.Requests * (l.AWS.Lambda.MillionRequests + million*r.GB*r.Duration.Seconds()*l.AWS.Lambda.GBSecond),
		HTTPAPI:  r.Requests * l.AWS.HTTPAPI.MillionRequests,
	}
	if r.Rate > 0 {
		d.Counting = r.Requests / r.perLine() * l.MillionLines(r.perLine() == 1)
		d.Checks = r.Requests * r.checkReads() * l.AWS.DynamoDB.MillionReadUnits
	}
	return d
}

// MillionLines is what a million lines of usage cost, with their being counted.
func (l *List) MillionLines(lone bool) float64 {
	bytes := float64(LineBytes)
	if lone {
		bytes = loneLineBytes
	}
	return million*bytes/transferGB*l.AWS.Logs.GBIngested +
		foldReads*l.AWS.DynamoDB.MillionReadUnits + foldWrites*l.AWS.DynamoDB.MillionWriteUnits +
		l.AWS.Lambda.MillionRequests + million*foldGB*foldSeconds*l.AWS.Lambda.GBSecond
}

// CountingMonth is the most that counting costs a month for an instance that is always there, whatever it serves below
// a thousand requests a minute.
func (l *List) CountingMonth() float64 {
	return MonthHours * 3600 / holdSeconds * l.MillionLines(false) / million
}

// StreamHour is what a subscription costs an hour on Lambda: an instance of the function.
func (l *List) StreamHour() float64 { return 3600 * functionGB * l.AWS.Lambda.GBSecond }

// Example is a kind of request, or of a command in one.
type Example struct {
	Name    string
	Request Request
	Upstash float64 // what a million cost there, pay as you go
}

// The requests a second of an instance that is busy, and of one that is not.
const (
	busyRate = 10
	rareRate = 1.0 / 60
)

// Examples are the rows of the cost tables. Their units are those of integration/bench/CALLS.md, which a test compares; a request
// takes 10 ms, most of which is DynamoDB's.
func (l *List) Examples() []Example {
	const took = 10 * time.Millisecond
	redis := 10 * l.Upstash["redis"].HundredThousandCommands
	return []Example{
		{"GET, HGETALL, ZRANGE … up to 4 KB", Request{ReadUnits: 1, Requests: 1, Duration: took, Rate: busyRate}, redis},
		{"SET, INCR, HSET, LPUSH … up to 1 KB", Request{WriteUnits: 1, Requests: 1, Duration: took, Rate: busyRate}, redis},
		{"GET in pipelines of ten", Request{ReadUnits: 1, Requests: 0.1, Duration: took, Rate: busyRate}, redis},
		{"four commands on one key in `/multi-exec`, each", Request{ReadUnits: 0.25, WriteUnits: 0.25, Requests: 0.25, Duration: took, Rate: busyRate}, redis},
		{"GET, the only request of an instance in a minute", Request{ReadUnits: 1, Requests: 1, Duration: took, Rate: rareRate}, redis},
	}
}

// CheckLine compares what a line of usage was measured to take with what is reckoned here. More is a mistake, and so is
// much less.
func CheckLine(busyBytes, loneBytes int, reads, writes float64) error {
	for _, c := range []struct {
		what           string
		measured, here float64
	}{
		{"a line's bytes", float64(busyBytes), LineBytes}, {"the bytes of a line of one request", float64(loneBytes), loneLineBytes},
		{"the read units", reads, foldReads}, {"the write units", writes, foldWrites},
	} {
		if c.measured > c.here || c.measured < 0.8*c.here {
			return fmt.Errorf("%s were measured as %v, and reckoned as %v", c.what, c.measured, c.here)
		}
	}
	return nil
}
