// Package control is the control plane: accounts, the resources they own (Redis
// databases, Kafka clusters, QStash accounts), the credentials that open these, and the
// keys that sign tokens. It works through the products' engines and knows neither HTTP
// nor AWS.
//
// # Concepts
//
// An account has an e-mail address, API keys and resources. A resource is of one product;
// the product's own record ([redis.Database], [kafka.Cluster], [qstash.Account]) has the
// same id. Every method that takes an account and a resource first sees to it that the one
// owns the other; otherwise there is no such resource ([NotFound]).
//
// A credential is what a token is minted from: its id, scope, rules and expiry. Tokens are
// not stored: signatures of Ed25519 are deterministic, and a credential keeps the time it
// was issued, so [Engine.Token] makes the same token again, as long as the signing key is
// the same. Each resource has default credentials, which a reset renews and nothing else
// can take away; others are issued and revoked. Of API keys only the SHA-256 is kept: they
// are 256 random bits, which nobody guesses.
//
// # Signing keys
//
// Private keys are in a [Keyring], one entry for each key, which is never changed. The
// state of a key is in the control table, and its public half is published into the table
// of every product (package keydir), where running functions find it. Rotation makes a new
// key; tokens are signed with it after [SigningDelay], when every function can know it. Tokens
// of older keys stay valid until their key is retired, which takes effect within
// [token.KeyAge].
//
// # When something takes effect
//
// A credential that is revoked, expired or reset, and a resource that is deleted, opens
// nothing any more on any instance once its record is read again there: within a second in
// AWS (contract.RecordTTL).
//
// # Creating and deleting
//
// Both touch two tables, so a crash can come in between. A resource is therefore first
// noted as being created or deleted, in which state nobody sees it, then the product is
// told, then the note is brought up to date. Whoever lists an account's resources takes
// back or finishes what was left that way for [unfinishedAfter].
//
// # Items
//
// All in the control table; each item has one attribute j, a JSON text.
//
//	item         partition        sort key        j
//	account      'a' account      'a'             Account
//	API key      'a' account      'k' key id      APIKey and the SHA-256 of its text
//	owned        'a' account      'r' resource    product
//	address      'm' e-mail       'm'             account id
//	resource     'r' resource     'r'             Resource
//	credential   'r' resource     'c' credential  Credential
//	signing key  's'              key id          SigningKey
//	accounts     'i'              account id      none
//
// Partitions that begin with 'u' are package meter's, with 'x' package console's.
package control
