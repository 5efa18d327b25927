// Package testenv is the folder of what stands in for AWS and for clients in tests. Only tests import it.
//
//   - dynamolocal: DynamoDB
//   - kinesislocal: Kinesis Data Streams
//   - motolocal: SQS, EventBridge Scheduler and SSM's Parameter Store
//   - runtimetest: the runtime API of Lambda, which runs the real executables of functions
//   - leaving: a client that goes away while it is served
//   - logbuffer: what a server or a process writes, to be read meanwhile
//   - emulator: starts the servers that stand in for AWS
package testenv
