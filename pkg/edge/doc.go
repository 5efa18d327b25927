// Package edge holds what the HTTP handlers of all products do in the same way: [redis/rest],
// [kafka/rest], [qstash/rest], [control/rest] and the console. It is a set of small parts and no
// framework: each handler keeps its own routes, its own words and the shape of its answers.
//
//	Error, Refuse      an answer to a request that was not carried out: status, text, headers, id
//	Of                 the table: which error becomes which status
//	Report             the same, and a line in the log if the client is not at fault
//	Recover            turns a panic into an error
//	RequestID          the id that names a request in the log and in its answer
//	Body               reads a body: bounded, inflated, and drained if it is too large
//	Compress, Send     send an answer: compressed if the client accepts that and it pays
//	NoStore            keeps an answer out of caches: all but what is the same for everybody, as style sheets
//	Bearer, CutQuery   find a token in the Authorization header or in the query
//	CORS               lets browsers in
//	Meter              counts what a request has used
//	SayCost            tells a client that has asked, by the header field Skystash-Cost, what that has cost
//
// The parts work for handlers of net/http and for the Redis handler, which also runs on
// fasthttp: they take an io.Reader and header fields, not an http.Request. Only [Send] is for
// net/http alone.
//
// # HEAD
//
// HEAD changes nothing, in any product. Where GET only reads, HEAD is answered with the status
// and the headers of GET. Everywhere else it is answered with 405. This needs a rule because some of
// the imitated services let GET write: "GET /set/key/value" of Redis, "GET /produce/topic/message"
// of Kafka. Link previews and monitors send HEAD to any address they find.
//
// # Compression
//
// A request body may be compressed with gzip (Content-Encoding: gzip). The limit of the body holds for
// what comes out of it, and reading stops there. [Shares] keeps an owner's large bodies from taking all memory
// and processors. The control plane needs none: 64 KiB are the most that its bodies come to. Redis has turns of its own. An answer is compressed if the client accepts gzip,
// if it is at least [CompressFrom] bytes long, and if that makes it smaller by an eighth. Streams
// are not compressed: each event has to leave at once.
//
// Metering counts bytes as the product knows them, before compression of an answer and after
// inflation of a request. So the same commands count the same, whatever the client accepts.
//
// [redis/rest]: https://pkg.go.dev/github.com/skystash/skystash/pkg/redis/rest
// [kafka/rest]: https://pkg.go.dev/github.com/skystash/skystash/pkg/kafka/rest
// [qstash/rest]: https://pkg.go.dev/github.com/skystash/skystash/pkg/qstash/rest
// [control/rest]: https://pkg.go.dev/github.com/skystash/skystash/pkg/control/rest
package edge
