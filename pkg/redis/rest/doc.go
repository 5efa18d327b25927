// Package rest serves a Redis engine over HTTP, the way the clients of Upstash's
// Redis REST API expect it (https://upstash.com/docs/redis/features/restapi).
// It is the only place of the Redis product that knows HTTP.
//
// # Forms of a request
//
//	GET|POST|PUT /CMD/arg/arg?name=value        a command by path, see below
//	HEAD /CMD/arg/arg?name=value                the same, if the command only reads; otherwise 405
//	POST|PUT /                                  a command as a JSON array
//	POST|PUT /pipeline                          several, an array of arrays, one after the other
//	POST|PUT /multi-exec                        several, atomically
//	POST /subscribe/channel/channel             messages, as server-sent events
//	POST /psubscribe/pattern/pattern            the same, of all channels that match
//	POST /monitor                               commands, as they are run
//	OPTIONS anything                            CORS preflight, without authentication
//
// docs/openapi/redis.json describes them in OpenAPI; a test holds the two together.
//
// By path, each segment is an argument, percent-decoded by itself. The body of a
// POST or PUT, if not empty, is one more argument, byte for byte. Query parameters
// follow in the order written, first the name, then the value; a bare name is one
// argument.
//
// In JSON, an argument is a string, a number (whose text counts as written) or a boolean.
//
// # Answers
//
// A command is answered by {"result": ...} with status 200 or {"error": "..."} with
// status 400; several by an array of these with status 200. Replies have the shapes of RESP2.
// "Upstash-Encoding: base64" encodes their strings, "Upstash-Response-Format: resp2"
// asks for RESP2 itself. Failures of ours have a status of 500 or above, and JSON too; package edge has the table.
//
// Bodies of requests may be compressed with gzip. Long answers are, for clients that accept it. The limits hold for what
// is not compressed, and that is what counts as usage.
//
// Every answer carries upstash-sync-token, which differs from all earlier ones. In the primary region reads
// are strongly consistent, so there is nothing to wait for when a client sends one back.
//
// # Read regions
//
// With Config.Region, commands that only read are answered from the region's replica where it is
// known to be new enough; see package redis for what is known and promised. What went through the region itself is known
// without any token. A token tells of other regions: a client that sends one of this database from the primary or another read
// region may know what no mark here says, so all it asks goes to the primary region, until a day after it was there last. Its new
// tokens keep that. A token of another database, or that is none, counts as missing, as no token does: "any state will do",
// but those that the region knows to be too old.
//
// The official client (readYourWrites, which is on by default) sends a token one request late. Within one region
// that does no harm. After a change of region, its first two requests may be without the other's token.
//
// # Server-sent events
//
// Each event is a line "data: " with one of these, then an empty line:
//
//	subscribe,<channel>,<count>     one for each channel, first of all
//	message,<channel>,<payload>
//	psubscribe,<pattern>,<count>    one for each pattern, first of all
//	pmessage,<pattern>,<channel>,<payload>
//	"OK"                            first of all from /monitor
//	<time> [0 0.0.0.0:0] "GET" "k"  a command
//
// A line break in a payload begins another "data: " line, as the standard has it, if the request is a GET, which is what an
// EventSource sends. The official client sends a POST, takes each line for an event of its own, and reads payloads as JSON
// if it can: it gets a payload with line breaks as one line, JSON without white space and anything else as a JSON string. Clients do not encode names, so
// a question mark and what follows it are part of the last one; a body is not looked at. A comment
// comes every 15 seconds; as often the token is checked again. A request that cannot be served
// is answered as any other. The subscription ends with the connection.
//
// # Authentication
//
// A token comes as ?_token=, else as "Authorization: Bearer <token>" or the bare token.
// It names the database and what may be done; it is refused once the
// database's credentials have been reset or the token's own has been revoked. It may carry
// rules that say more closely what may be done. A token from ACL RESTTOKEN stands for a user of the
// database instead, whose rules are looked up, together with the credential that made the user.
//
// # Metering
//
// With a Config.Meter, each request for a database leaves a record: one for all the commands of a pipeline, of the
// class of the one that counts most (script, write, pubsub, read, other, in this order); one for a stream when it has ended. A
// database that has reached a limit of its usage answers every request with 400 and the text of redis.Database.Blocked.
package rest
