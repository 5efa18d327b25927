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
//	local.env     URL and tokens as environment variables, mode 0600, rewritten at each start
//	store/        the embedded store of Redis
//	kafka/        the embedded store of Kafka
//	qstash/       the embedded store of QStash
//	.gitignore    keeps the folder out of a repository
//
// Redis is at the root of the address, Kafka under /kafka: their paths would collide. QStash's
// begin with /v2/ and /v1/, which are no commands. A product besides Redis plugs in as a value of the type product.
//
// QStash may deliver to loopback addresses, and to what -resolve maps;
// other private addresses are refused, as they are in AWS.
//
// A token is a function of the signing key and the database's record, both of
// which are kept, so it stays the same from start to start.
//
// With the DynamoDB store the records are in the table; the folder holds only
// the key, and several processes can share the table when they share the folder.
package server
