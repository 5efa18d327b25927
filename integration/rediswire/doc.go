// Package rediswire runs clients of Redis's own protocol, and programs that are built on them, as people install them, against the
// local server.
//
//	go test ./integration/rediswire     each of them once; part of "go test ./..."
//	./scripts/test redis-clients        more versions, with TLS and without, on both stores, and clients for Java and Rust: installs them first
//
// Each program in this folder does what its users do, and fails if anything is not as it expects. It finds the server by REDIS_URL, and
// trusts the certificate that REDIS_TLS_CA names. pkg/redis/wire's tests do the same with go-redis.
package rediswire
