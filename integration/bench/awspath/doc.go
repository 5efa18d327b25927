// Package awspath measures what a request takes of the processor on its way to DynamoDB: our part, beside that
// of the AWS SDK for the same calls. See ../AWSPATH.md.
package awspath
