// Package testenv is the folder of what stands in for AWS in tests. Only tests import it.
//
//   - dynamolocal: DynamoDB
//   - kinesislocal: Kinesis Data Streams
//   - motolocal: SQS, EventBridge Scheduler and SSM's Parameter Store
//   - runtimetest: the runtime API of Lambda, which runs the real executables of functions
//   - emulator: starts the servers of the first three
package testenv
