// Package contract is what the functions, the infrastructure that deploys them and the tools beside
// them agree on: constants alone. It links nothing.
package contract

import "time"

// RecordTTL is how old the record of a database, a cluster or an account may be in any engine of a
// deployment. FLUSHDB and the revocation of credentials take effect, and are answered, after this
// time.
const RecordTTL = time.Second

// PublishedOnly is what TOKEN_PUBLIC_KEY says where there is a control plane, which publishes the
// keys, and no other key.
const PublishedOnly = "published"

// Limits of requests behind Lambda, which takes 6 MiB of text.
const (
	// MaxCommandBytes bounds one Redis command and its reply, each. A reply in base64, which
	// official clients ask for, still fits.
	MaxCommandBytes = 4_500_000
	// MaxKafkaBodyBytes bounds the body of a request to Kafka.
	MaxKafkaBodyBytes = 5 << 20
	// MaxMessageBytes bounds a message of QStash: in base64, with its envelope, it fits.
	MaxMessageBytes = 4_000_000

	// MaxAnswerBytes bounds what is read of a destination's answer. A workflow submits the answer to a call as
	// text in JSON, which may be three times as long, and has to fit into a message.
	MaxAnswerBytes = MaxMessageBytes / 3
)

// MaxAttempt bounds an attempt to deliver a message. It is below Lambda's 15 minutes by the time to
// record the outcome.
const MaxAttempt = 14 * time.Minute

// MaxLongAttempt bounds an attempt where tasks are started for those that are longer than MaxAttempt.
const MaxLongAttempt = 2 * time.Hour

// TaskContainer is the name of such a task's container.
const TaskContainer = "attempt"

// SweepFilters are the patterns by which the event source mapping of the Redis table's stream
// chooses the records that the sweep function is woken for. One match suffices. The first pattern
// matches notes that something is garbage; the second, heads of spread values that DynamoDB deletes
// because they have expired. Both look for attributes that nothing else has, and at no value: no
// other write wakes the function, and it does not matter that keys are bytes. What becomes garbage
// in some other way waits for the schedule.
var SweepFilters = []string{
	`{"eventName":["INSERT"],"dynamodb":{"NewImage":{"due":{"N":[{"exists":true}]}}}}`,
	`{"eventName":["REMOVE"],"userIdentity":{"type":["Service"],"principalId":["dynamodb.amazonaws.com"]},"dynamodb":{"OldImage":{"g":{"B":[{"exists":true}]}}}}`,
}
