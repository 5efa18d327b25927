// Package token mints and verifies the bearer tokens that clients of Skystash
// send.
//
// A token is a JSON Web Token (RFC 7519) signed with Ed25519 (algorithm
// "EdDSA", RFC 8037). Whoever verifies holds public keys only: a function can
// check tokens but never make one. The token itself says what it opens, so
// that checking it needs no read of any database:
//
//	iss       who issued it
//	aud       the deployment it is for
//	jti       credential id: names the token in a revocation
//	res       id of the resource it opens, for example a database
//	products  products it may be used with, for example ["redis"]
//	scope     "rw" or "ro"
//	acl       rules that bound this further, for example ["+@read", "~app:*"]
//	gen       the resource's credential generation at the time of issue
//	topics    of Kafka: permission and topics, if it is not for all
//	dest      of QStash: destinations, if it is not for all
//	iat, nbf  issued at, not valid before
//	exp       expiry; a token without it does not expire
//
// The header's "kid" names the key: the public key's JWK thumbprint (RFC 7638),
// so that several keys can be valid side by side while one replaces another.
//
// # Published keys
//
// A [Verifier] may have a [Directory], in which a deployment publishes its keys and retires them. What
// it knows of the directory is never older than [KeyAge], so a retired key opens nothing after that
// time, on any instance. A request hardly ever waits for it: keys that are half as old are read again
// by the next request that reads something else, in one call with that (package store/readahead).
// Only the first request of an instance, and a token whose key nobody knows yet, need the keys; the
// latter at most once a second, whatever tokens come in.
//
// # What verification does not cover
//
// A token stays valid until it expires. Revoking one credential, or all of a
// resource at once, is the business of whoever keeps the resource's record: it
// compares [Claims.CredentialID] with the revoked ones and [Claims.Generation]
// with the current generation, on every request.
package token
