// Package price says what usage costs on AWS, and what Upstash would bill for it.
//
// The prices are in prices.json, with their source and the month they are of: list prices of us-east-1, without
// free tiers, discounts and taxes. Everything here is a pure function of usage.
//
// What is not counted, because it is not one resource's: the Kinesis shards and the functions that work off streams and schedules, which all
// resources of a deployment share. Lambda's time is counted as if every request had an instance for itself, which is so for
// Redis and Kafka; deliveries of QStash share one, up to ten at once, so theirs is an upper bound.
//
// An HTTP API's price is that of the requests that came through one: the others came through function URLs, which have none.
//
// [List.Million] says what a million requests of a kind cost, with the counting of usage; package stack, what is paid while nobody calls.
// The tables in integration/bench/COSTS.md and IDLE.md are made of both.
//
// A forecast is what the month has cost so far, and for the rest of it the mean of the last seven days that are over
// (or of as many as there has been usage for). On the first day, what was used so far counts as what a whole day uses.
//
// Storage costs by the hours that something was stored for, see [meter.Storage].
package price
