// Package kafka measures what Kafka's requests cost on DynamoDB and Kinesis. It
// has no code to import, only a test.
//
//	go test ./integration/bench/kafka            compare with the table, ../KAFKA.md
//	go test ./integration/bench/kafka -update    write the table
//
// The engine runs over DynamoDB Local and the Kinesis emulator, as the functions
// run it. Calls are counted at the store and the stream; request units are the
// store's, which computes them by AWS's rules. The test fails if a request makes
// more calls than it may.
package kafka
