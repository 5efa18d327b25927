// Package coldstart holds cold starts of the Redis function beside those of the least a Lambda function
// in Go can do, and writes COLDSTART.md.
package coldstart
