// Package runtimetest runs a Lambda function's real executable in tests,
// without Lambda: it stands in for the runtime API that functions talk to
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), hands out
// events and collects the answers.
//
//	bin := runtimetest.Build(t, "./functions/redis")
//	fn := runtimetest.Start(t, bin, "TABLE_NAME=test")
//	answer := fn.Invoke(event)
//
// A response may be streamed; its body is then read as it comes.
//
// As in Lambda, a function gets one event at a time and its process lives on
// between them. Processes end with the test that started them.
package runtimetest
