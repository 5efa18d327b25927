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
//
// Requests carry Basic authentication; /webhook takes user and pass in the query
// as well. The password is a token (pkg/token), the user name goes with it.
//
// Bodies are JSON whatever their Content-Type says, also of GET, and may have a comma
// behind the last element, because published examples do. Answers are JSON. Those of
// errors are {"error": text, "status": status}; if some messages of a request were
// accepted and others not, "results" has each one's metadata or error.
//
// HEAD is for /fetch, /committed, /offsets, /topics and /consumers, which change nothing. Bodies of
// requests may be compressed with gzip; a webhook's message is what comes out. Long answers are compressed
// for clients that accept it. Package edge has the statuses of failures.
//
// The official client repeats whatever is not answered with 200, five times. So a
// request is refused as a whole, before anything is written, if that can be seen.
package rest
