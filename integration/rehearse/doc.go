// Package rehearse deploys Skystash without AWS and lives through a day with it: the CDK app is synthesised, what its
// templates describe is made in emulators, and the real executables run with the templates' environments. They reach the
// emulators through package guard, which allows each function what its role's policy says, and no more than
// AWS's limits. Between invocations functions are frozen.
//
// A call that AWS would refuse fails the rehearsal, and so does a right that no story needs and nobody has given a reason for.
//
// What it leaves out: the network, Kinesis's and DynamoDB's own calls of functions (which the stories make), replication, whose
// replica here is the primary table itself, and time. How often Lambda lets functions call each other is tested in infra.
package rehearse
