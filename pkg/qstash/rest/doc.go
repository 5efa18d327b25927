// Package rest is the REST API of QStash as an http.Handler, so that the official
// clients work with nothing but another base URL and token.
//
// It is mounted at the root: all its paths begin with /v2/ or /v1/. Version 1 has what
// maps onto version 2. Names of resources are matched without regard to case, one
// slash at the end is ignored, and both are served in place: a redirect would lose
// body and credentials.
//
// # Destinations
//
// What follows /v2/publish/ is the destination as it is, with its own double slashes,
// escapes and query string; only the parameters qstash_token and upstash-* are ours.
// The handler therefore reads the path as it was sent (see rawTarget) and must not sit
// behind a http.ServeMux, which cleans paths.
//
// # Header fields
//
// A field that no request can carry is refused at once, also one of a callback or of a URL group: a name that is no
// token of RFC 9110, a value with control characters.
//
// Values are delivered as UTF-8. HTTP leaves open what bytes above 0x7f mean. Upstash passes on what it gets, and
// its servers have a batch's fields as UTF-8 already, for these come in JSON. So UTF-8 goes out as it is. A value that
// is not UTF-8 is taken for ISO 8859-1, which is what fetch makes of "é", and delivered like the same text of a batch.
//
// Fields that say what a delivery is, such as Upstash-Schedule-Id and Upstash-Message-Id, cannot be forwarded:
// destinations go by them.
//
// # Bodies and answers
//
// A body may be compressed with gzip (Content-Encoding); a message is what comes out. One that is to arrive
// compressed is sent with Upstash-Forward-Content-Encoding in its place. A message in another encoding, such as br, arrives as it is,
// with its Content-Encoding. Long answers are compressed
// for clients that accept it. HEAD is answered as GET, which changes nothing, and refused where GET would: by the
// addresses of webhooks. Package edge has the statuses of failures.
//
// # Beyond Upstash's API
//
//	POST /v2/messages/{id}/retry            makes the next attempt of a waiting message at once
//	POST /v2/workflows/runs/{id}/retry      does so with the messages of a run that wait for a retry
//	POST /v2/schedules/{id}/run             publishes a schedule's messages now; its times stay
//	GET /v2/logs/tail                       the log as it grows, as server-sent events, with the filters of
//	                                        the log; see qstash.Engine.Tail for what that costs
//	GET, PUT, DELETE /v2/workflows/deadline the default deadline of an account's runs: {"deadline":"2h"}
//
//	Upstash-Workflow-Deadline: 2h           of a trigger: how long the run may take
//	Upstash-Skystash-Missed: skip|once|all  of a schedule: what happens with times that were missed, see
//	                                        qstash.Missed; skip is the default
//
// GET /v2/hosts lists the destination hosts in trouble (see package qstash), and DELETE /v2/hosts/{host}
// has attempts to one of them made again at once.
// GET /v2/metrics sums up lag, endpoint time and outcomes of each queue, flow control key, schedule and workflow, out of the
// log, and so of the days that it goes back.
//
// # Tokens
//
// Clients decode their token: it is the base64 text of {"UserID":…,"Password":…}. The
// UserID is the account, the password a token of package token.
package rest
