package meter

import (
	"math"
	"time"
)

// Resource is what usage is counted for: one of a product's databases, clusters or accounts.
type Resource struct {
	Product string // token.ProductRedis, token.ProductKafka or token.ProductQStash
	ID      string
}

func (r Resource) String() string { return r.Product + "/" + r.ID }

// Classes of operations.
const (
	ClassRead   = "read"   // of Redis: commands that only read
	ClassWrite  = "write"  // commands that may write
	ClassScript = "script" // scripts and functions
	ClassPubSub = "pubsub" // PUBLISH and subscriptions
	ClassOther  = "other"  // everything else, such as PING, and what is refused

	ClassProduce = "produce" // of Kafka
	ClassFetch   = "fetch"
	ClassConsume = "consume"
	ClassAdmin   = "admin" // topics, groups, offsets

	ClassPublish = "publish" // of QStash: publish, enqueue, batch
	ClassDeliver = "deliver" // attempts to deliver
	ClassAPI     = "api"     // everything else
)

// Record is what one request, or one attempt of QStash to deliver, has used.
type Record struct {
	Resource Resource
	Class    string
	At       time.Time // when it was answered
	Duration time.Duration
	Status   int  // of the answer, as in HTTP
	Blocked  bool // it was refused because a limit had been reached
	Gateway  bool // it came through an HTTP API, which has a price

	Commands   int64 // what the product bills: commands of Redis, messages of Kafka and QStash
	Errors     int64 // commands that were answered with an error; the request's own status may still be 200
	Hits       int64 // of Redis: keys that commands which read have found, see Ran
	Misses     int64 // keys that they have not found
	Ran        []Ran // the commands, of Redis. It is only good while the Recorder is told: its memory is used again
	BytesIn    int64 // the request's path, query and body
	BytesOut   int64 // the answer's body
	Calls      int64 // requests made to the database
	ReadUnits  float64
	WriteUnits float64 // request units, as DynamoDB bills them

	// Of ClassDeliver. Usage does not count them.
	Lag  *time.Duration // from when the attempt was due until it was sent; nil: its turn was another message's affair
	Dead bool           // the message has failed for good
}

// Ran is a command that a request has run.
//
// A command that reads has found its key if its reply holds something: a null, an empty list, the 0 of EXISTS and the -2 of
// TTL are misses. MGET and EXISTS with several keys have a hit or a miss for each. What was answered with an error is neither.
type Ran struct {
	Command      string // in lower case
	Error        string // that it was answered with, such as "WRONGTYPE Operation against a key holding ..."; "": none
	Hits, Misses int64
}

// Count notes the commands that the request has run, and what they came to. What is in Errors already stays.
func (r *Record) Count(ran []Ran) {
	r.Ran = ran
	for i := range ran {
		if ran[i].Error != "" {
			r.Errors++
		}
		r.Hits += ran[i].Hits
		r.Misses += ran[i].Misses
	}
}

// Counters are what records add up to.
type Counters struct {
	Requests   int64         `json:"requests"`   // those answered, not those that a limit refused
	Blocked    int64         `json:"blocked"`    // those that a limit refused
	Refused    int64         `json:"refused"`    // of Requests, those answered with a status from 400 to 499
	Failed     int64         `json:"failed"`     // of Requests, those answered with a status from 500
	Gateway    int64         `json:"gateway"`    // of Requests and Blocked, those that came through an HTTP API
	Commands   int64         `json:"commands"`   // see Record
	BytesIn    int64         `json:"bytes_in"`   //
	BytesOut   int64         `json:"bytes_out"`  //
	Calls      int64         `json:"calls"`      // to the database
	ReadUnits  float64       `json:"read_units"` // to a thousandth
	WriteUnits float64       `json:"write_units"`
	Busy       time.Duration `json:"busy_ns"` // sum of the durations
	Errors     int64         `json:"errors"`  // commands that were answered with an error, and other requests that were refused or failed; not those of ClassDeliver
	Hits       int64         `json:"hits"`    // see Ran
	Misses     int64         `json:"misses"`
}

// Add adds other counters.
func (c *Counters) Add(o Counters) {
	c.Requests += o.Requests
	c.Blocked += o.Blocked
	c.Refused += o.Refused
	c.Failed += o.Failed
	c.Gateway += o.Gateway
	c.Commands += o.Commands
	c.BytesIn += o.BytesIn
	c.BytesOut += o.BytesOut
	c.Calls += o.Calls
	c.ReadUnits += o.ReadUnits
	c.WriteUnits += o.WriteUnits
	c.Busy += o.Busy
	c.Errors += o.Errors
	c.Hits += o.Hits
	c.Misses += o.Misses
}

// counters are a single record's. Refusals for a limit cost next to nothing, and count as nothing else; but an
// HTTP API has its price for them, too.
func (r *Record) counters() Counters {
	gateway := int64(0)
	if r.Gateway {
		gateway = 1
	}
	if r.Blocked {
		return Counters{Blocked: 1, Gateway: gateway}
	}
	c := Counters{
		Requests: 1, Gateway: gateway, Commands: r.Commands, BytesIn: r.BytesIn, BytesOut: r.BytesOut,
		Calls: r.Calls, ReadUnits: r.ReadUnits, WriteUnits: r.WriteUnits, Busy: r.Duration,
		Errors: r.Errors, Hits: r.Hits, Misses: r.Misses,
	}
	switch {
	case r.Status >= 500:
		c.Failed = 1
	case r.Status >= 400:
		c.Refused = 1
	}
	switch {
	case r.Class == ClassDeliver: // it is the destination that has failed
		c.Errors = 0
	case r.Status >= 400 && c.Errors == 0:
		c.Errors = 1
	}
	return c
}

// Sum is the total of the records of one resource, one class and one hour.
type Sum struct {
	Resource Resource
	Class    string
	Hour     time.Time // when it began
	Counters Counters
	Latency  Sketch
}

// Sum is the sum of a single record.
func (r *Record) Sum() Sum {
	s := Sum{Resource: r.Resource, Class: r.Class, Hour: r.At.UTC().Truncate(time.Hour), Counters: r.counters()}
	if !r.Blocked {
		s.Latency.Add(r.Duration, 1)
	}
	return s
}

// Entry is a sum to be folded once: the one that an instance has given a number. Numbers are
// dense: an instance begins with 0 and leaves none out.
type Entry struct {
	Instance string
	Number   int64
	Sum      Sum
}

// thousandths is how units are stored: as integers.
func thousandths(units float64) int64 { return int64(math.Round(units * 1000)) }
