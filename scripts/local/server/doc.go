// Package server is the local program as a type, so that tests start exactly
// what users start.
//
//	m := server.NewMain(os.Stdout, os.Stderr)
//	if err := m.ParseFlags([]string{"-ephemeral", "-addr", "127.0.0.1:0"}); err != nil { ... }
//	if err := m.Start(ctx); err != nil { ... }
//	defer m.Close()
//	// m.URL(), m.Token(), m.ReadOnlyToken()
//
// # What it keeps
//
// In the data folder, which nobody but its owner may read:
//
//	signing.pem   Ed25519 key (PKCS #8) that signs the tokens, mode 0600
//	keys/         those that a rotation has made since, in the same form
//	api-key       API key of the control plane, mode 0600
//	local.env     URL and tokens as environment variables, mode 0600, rewritten at each start
//	store/        the embedded store of Redis
//	kafka/        the embedded store of Kafka
//	kafka-ca.pem  authority of the certificate of the TLS ports of Redis and Kafka, which their clients trust; kafka-ca-key.pem is its key
//	qstash/       the embedded store of QStash
//	control/      the embedded store of the control plane
//	.gitignore    keeps the folder out of a repository
//
// Redis is at the root of the address, Kafka under /kafka: their paths would collide. QStash's
// begin with /v2/ and /v1/, which are no commands; those of the control plane do too and come
// first. Clients of Redis's and Kafka's own protocols have
// ports of their own: if one is taken, the next free one is used. The console is under /console/. A product besides Redis plugs in as a value of the type product.
//
// Usage of all resources is counted once a second, in the control plane's store; what an end by
// force takes with it is the last second's. A resource that reaches a limit is blocked within a second.
//
// Run prints each of QStash's deliveries in a line when it has ended, unless -quiet is given: method, URL
// without its query, status, time, and when it is tried again. A port that nobody listens on is called so.
// With -requests, which is the default on a terminal, it also prints the requests over HTTP that it has answered, but
// for those of the console: of a command its name and its first argument, of other requests the path. Of each second it prints
// 100 deliveries and 100 requests, and counts the others.
//
// QStash may deliver to loopback addresses, and to what -resolve maps;
// other private addresses are refused, as they are in AWS.
//
// With -replica a second address serves Redis as a read region does, from a copy of the store that
// lags behind; both are in memory only.
//
// What the program creates at its first start belongs to an account of the control plane, whose
// API key is kept in the data folder. A token is a function of the signing key and the records,
// which are kept, so it stays the same from start to start, until credentials are reset or the
// key is rotated.
//
// With the DynamoDB store the records are in the table; the folder holds only
// the keys. Several processes can share the tables when they share the folder, which the tokens come from.
// For Kafka they need a stream that they share as well, see -kafka-stream: without one, a
// second process would give up messages that the first one has accepted. QStash's wake-ups are in the memory of the
// process that has made them; another finds what is due within a minute, or when it starts.
package server
