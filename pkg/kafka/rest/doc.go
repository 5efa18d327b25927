// Package rest is the REST API of Kafka as an http.Handler, as Upstash had it.
//
//	[GET|POST] /produce[/topic[/message]]       messages, or one
//	[GET|POST] /webhook?topic=                  the body is the message
//	[GET|POST] /fetch                           from offsets on
//	[GET|POST] /consume/group/instance[/topic]  as a member of a group
//	[GET|POST] /commit/group/instance           offsets, or the positions
//	[GET|POST] /committed/group/instance        the committed offsets
//	[GET|POST] /offsets/time                    of a time, "earliest" or "latest"
//	GET        /topics                          names and numbers of partitions
//	GET        /consumers                       groups, instances and what they are assigned
//	POST       /delete-consumer/group/instance  (or DELETE)
//	GET        /lag/group                       what is committed, the ends, and the messages between (ours)
//	POST       /reset/group                     new committed offsets, of a group without instances (ours)
//
// docs/openapi/kafka.json describes it in OpenAPI; a test holds the two together.
//
// Requests carry Basic authentication; /webhook takes user and pass in the query
// as well. The password is a token (pkg/token), the user name goes with it.
//
// Bodies are JSON whatever their Content-Type says, also of GET, and may have a comma
// behind the last element, because published examples do. Answers are JSON. Those of
// errors are {"error": text, "status": status}; if some messages of a request were
// accepted and others not, "results" has each one's metadata or error.
//
// A commit of which some partitions belong to another instance by now stores the others, and is
// answered with 409 and the results of each. If the store has failed for some of them, the answer is 503, and so are
// their results.
//
// The answer of /lag is an array of {"topic", "partition", "committed", "end", "lag", "instance"}; the
// lag is null where nothing is committed. /reset takes one or an array of {"topic", "partition", "to"};
// without a partition, it is for all of the topic. to is "earliest", "latest", a time in ms, or
// {"offset": number}. The answer has the new offsets; 409 while the group has instances.
// In /lag and /consumers, members of Kafka's own protocol are instances, too: by their instance id, or else their
// member id.
//
// An instance that joins a group gets its partitions when those who have them have called again, after half a minute at
// the latest. So what an instance was given can be committed before its next call, whoever joins meanwhile.
//
// An answer of /consume has the header Kafka-Answer. A client that sends it back with its next call, as
// Kafka-Answer-Received, is given again what was in an answer that it has not got: each message arrives
// at least once, whatever happens to connections. Without it, the next call counts as receipt.
//
// Consumers' time to wait for an answer must be longer than the timeout that they ask for: an answer
// on its way to a client that has given up, and whose instance calls again, counts as received.
//
// Two header fields of ours say how keys, values and the values of headers are written, in the bodies of
// /produce and the answers of /fetch and /consume. "Kafka-Encoding: base64" makes them base64, so that
// bytes which are not UTF-8 survive; without it they become U+FFFD. "Kafka-Nulls: true" writes null for
// a key or value that is not there, so that a tombstone is not an empty value; without it both are "".
//
// HEAD is for /fetch, /committed, /offsets, /topics, /consumers and /lag, which change nothing. Bodies of
// requests may be compressed with gzip; a webhook's message is what comes out. Long answers are compressed
// for clients that accept it. Package edge has the statuses of failures.
//
// The official client repeats whatever is not answered with 200, five times. So a
// request is refused as a whole, before anything is written, if that can be seen.
package rest
