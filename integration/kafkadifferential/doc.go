// Package kafkadifferential compares the server of Kafka's protocol (pkg/kafka/wire) with franz-go's kfake, a broker in
// memory that is held to Kafka 4.0. It has no code to import, only tests.
//
// The same random requests go to both as they are, without a client in between, and the answers are compared field
// by field: what was created, is stored, committed, and refused with which code. Requests are drawn by a seeded
// generator; a part of them is wrong on purpose. Members of groups join together, since Kafka lets each wait for the others.
//
// What servers are free to choose (ids of members, producers and topics) is compared by the order in which it was met.
// Differences that are meant are listed with their reasons in allowed_test.go. One that never occurs fails the test.
//
//	go test ./integration/kafkadifferential                         a few seconds
//	go test ./integration/kafkadifferential -rounds 200             longer
//	go test ./integration/kafkadifferential -seed 7 -rounds 1       one round again
package kafkadifferential
