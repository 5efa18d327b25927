// Package dynamo keeps items in one table of Amazon DynamoDB.
//
// The table has a binary partition key "p" and a binary sort key "s", expiry
// (TTL) on the attribute [store.TTLAttr], no index, and on-demand billing;
// [CreateTable] makes one. Attributes cannot be named "p", "s" or "-".
//
//	value       DynamoDB type
//	KindBytes   B
//	KindInt     N
//	KindList    L of B
//
// # Calls
//
//	Get                     GetItem, strongly consistent
//	GetMany                 BatchGetItem, 100 keys a call
//	GetMany, snapshot       TransactGetItems; over 100 items or 4 MB: BatchGetItem
//	                        until two rounds in a row read the same
//	Query                   Query, strongly consistent
//	Apply                   PutItem, UpdateItem or DeleteItem; a check is a GetItem
//	Commit                  TransactWriteItems; one operation alone as Apply does it;
//	                        checks alone are read as a snapshot, at a fifth of the price
//	Load                    BatchWriteItem, 25 items a call
//
// # Retries
//
// The client's own retries are switched off, since they would repeat a write
// whose answer was lost. The store retries what is safe to repeat, with full
// jitter and inside the context's deadline: throttled calls, conflicts with a
// transaction, connections that could not be made, and, where a repetition does
// no harm (reads, Load, and TransactWriteItems, whose request token makes it
// happen once), everything that may have gone wrong on the way. A plain write
// whose answer was lost is [store.ErrUnknownOutcome].
//
// # Usage
//
// Request units are computed from the sizes of the items by DynamoDB's rules;
// those of TransactWriteItems and BatchWriteItem, which do not return the items
// they replace, are taken from the answer (or computed from what is known, if that
// is more: DynamoDB Local reports too little). Sizes are [store.Attrs.Size], which
// may be some bytes too large for numbers.
//
// Sources: the pages "Constraints in Amazon DynamoDB", "DynamoDB item sizes and
// formats", "DynamoDB throughput capacity" and "Error handling with DynamoDB" of
// the DynamoDB Developer Guide.
package dynamo
