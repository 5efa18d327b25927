// Package gateways runs three local servers that speak Kafka's own protocol over one DynamoDB Local and one
// kinesalite. One after the other is killed, as kill -9 does, and started again, while clients of franz-go produce and
// consume. It checks what they were promised:
//
//   - every message that was acknowledged is in the log once, and those of a key are in the order in which they were
//     sent: producers are idempotent;
//   - a group, whose members are on different servers and come and go with them, gets every message before it commits
//     a later one of the same partition.
//
// The verdict does not depend on time: the work stops after -for, and what is checked then is complete.
//
// A server that starts again reads the stream from its beginning, since the emulator has nobody who keeps its place. So
// the rate of messages, -every, has to be one that the machine can take several times.
//
//	go test ./integration/gateways -for 5m -kill-every 10s -timeout 30m
package gateways
