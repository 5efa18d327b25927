// Package calls measures what every command costs on DynamoDB: requests,
// request units and dollars. It has no code to import, only tests.
//
// The table of all of them is checked in, ../CALLS.md. The test measures
// everything anew, on DynamoDB Local, and fails if the table says something
// else, if a command misses its goal (see goals_test.go), or if a command of
// the engine's command table has no row.
//
//	go test ./integration/bench/calls            compare with the table
//	go test ./integration/bench/calls -update    write the table
//
// Requests are counted on their way to DynamoDB, beside the store's own meter,
// and billed a second time from what they ask for and what they are answered
// (bill_test.go), by AWS's rules where DynamoDB Local charges too little. Both
// must agree for every command.
//
// What is measured is the steady state: connections and the database's record
// are there, and the traces that a key's last writes leave in it for half a
// minute are gone. Time is the test's own and stands still while a command runs.
package calls
