// Package wire serves Kafka's protocol over TCP and TLS, for the clients that there are: kafka-python,
// librdkafka and what is built on it, franz-go, sarama, kafkajs, the clients for Java.
//
// Messages are encoded and decoded by franz-go's kmsg. What this package adds is the connection, who
// uses it, and what each request means to the engine (pkg/kafka).
//
// # Versions
//
// The table in table.go has every request that is served: its versions, what it costs to decode,
// whose it may be, and its handler. The versions are those of Kafka 2.8, and of
// later ones what asks for nothing that there is not: no ids of topics in Produce and Fetch. ApiVersions above version 4 is
// answered in version 0 with error 35, as brokers do; clients then ask again. Requests that are not in
// the table close the connection: clients send only what ApiVersions has told them of.
//
// # Connections
//
// A connection has to authenticate within ten seconds, by SASL PLAIN (user name and password as in
// REST), OAUTHBEARER (the password is the token) or SCRAM. After that each request looks at the cluster's
// record, at most a second old: a credential that was revoked, or has expired, closes its
// connections at the next request, and idle ones within seconds.
//
// One goroutine reads a connection's requests and serves most of them itself. What may wait, or has much data, is served by another one while
// at most five more are read, in order. A Fetch that waits
// holds up what comes behind it on its connection, as in Kafka.
//
// # Bounds
//
// The size of requests, and the memory that reading and decoding them takes, are bounded before they are read, by connection, account and process: see
// memory.go. kmsg takes up to 80 bytes for a byte of a hostile request, so each request is charged
// for that, except Produce, JoinGroup and SyncGroup, whose arrays are counted first.
//
// # What is different from Kafka
//
// Without Config.Gateway there is one broker, number 0, and it leads everything. With it, there is a broker for each gateway that holds a
// slot: partitions and groups are spread over them by rendezvous hashing, so that those who share something usually meet in one
// process. That is advice. A gateway never answers NOT_LEADER_OR_FOLLOWER, nor NOT_COORDINATOR unless it is about to end: it serves
// whatever it is asked for, under whatever name.
//
// Fetch has no sessions: its answers say so, and
// clients go on without. Leader epochs are always 0. Topics are not created by asking for them.
// A group's members all use the classic protocol, or all the consumer protocol (KIP-848); Kafka lets a group change from one to the
// other one member at a time. Transactions are refused: InitProducerId with a transactional id answers
// TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which clients take as final. Access control lists are answered with
// SECURITY_DISABLED, as by a broker without an authorizer.
package wire
