// Package dns keeps a name of Route 53 at the addresses of the gateways that run.
//
// A task of Fargate gets another public address each time it starts. A load balancer in front of it
// would have one that stays, and costs more than the task. So each gateway registers its address in
// the store, for a minute and a half, and makes the name point to all that are registered:
//
//	gateway   'gw'    address   u (until, Unix ms), x
//
// One that ends takes its address out. One that was killed is taken out by the others, after its
// registration has run out; if there are none, by the next one that starts. Gateways look at the name twice
// a minute, so it is right in the end whoever writes last.
//
// The name's time to live is 15 seconds: after that time clients go elsewhere.
package dns
