// Package kafkawire runs clients of Kafka's own protocol, as people install them, against the local server.
//
//	go test ./integration/kafkawire     a client of each family, once; part of "go test ./..."
//	./scripts/test kafka-clients        more versions, more ways to authenticate, kcat and Java: installs them first
//
// The clients are programs in this folder: kafka_python.py, confluent.py (librdkafka), kafkajs.cjs, kcat.sh and JavaClient.java;
// consumer_protocol.py and ConsumerProtocol.java are consumers of KIP-848's protocol;
// goclients is a module of its own with confluent-kafka-go and sarama.
// Each does what its users do, and fails if anything is not as it expects. pkg/kafka/wire's tests do the same with franz-go.
package kafkawire
