// Package lambdahttp runs an http.Handler behind an API Gateway HTTP API or a
// Lambda function URL (both send payload format 2.0).
//
// It wraps the adapter of aws-lambda-go-api-proxy and mends what a handler of a
// binary-safe, path-addressed protocol cannot live with:
//
//   - Function URLs send the path as the client wrote it, HTTP APIs send it
//     percent-decoded, once. The handler always gets a validly encoded path, see
//     [EncodedPath], and the query string untouched.
//   - The adapter splits header values at commas; the handler gets them whole.
//   - The request's id, which package edge writes into logs and answers, is the one that Lambda
//     has for the invocation.
//   - Bodies other than text and JSON, and those that are compressed, are answered in base64, so that no proxy
//     on the way takes bytes for text; text and JSON never are, if valid UTF-8.
//   - A handler that panics, or returns without writing, is still a well-formed
//     answer: clients of Skystash's products parse every body as JSON.
//   - A response that Lambda would refuse for its size is answered with status 413.
//   - The handler's deadline is a moment before the function's, so that running
//     out of time ends in an answer and not in a gateway's error page.
//
// [NewStreaming] also streams: through a function URL with the invoke mode
// RESPONSE_STREAM, an answer is sent while the handler writes it. Lambda does not tell a
// function that the client has gone: a stream without takers ends with the function's time.
//
// # What an HTTP API loses
//
// An HTTP API decodes the path before it invokes the function: an encoded slash
// can then no longer be told from a separator, everything behind an encoded
// question mark is missing, and bytes that are not UTF-8 are replaced. Nothing on
// this side of it can undo that. Clients that put such values into the path
// must use the function URL; values in the body arrive unchanged either way.
package lambdahttp
