// Package rest is the control plane's HTTP API: Upstash's Developer API as its CLI and its
// Terraform provider call it, under /v2/redis, /v2/kafka and /v2/qstash, and what it lacks
// under /v2/skystash. Callers identify themselves by Basic authentication with the e-mail
// address of an account and one of its API keys.
//
// The API is described by an OpenAPI 3.1 document, openapi.json, which is served at
// /v2/openapi.json; a test holds the two together. Errors are {"error", "code", "message"}:
// the CLI reads the first, the documentation names the others.
//
// HEAD is answered as GET, which changes nothing. Bodies of requests may be compressed with gzip, long answers are
// for clients that accept it. Package edge has the statuses of failures.
//
// # What differs
//
// There are no teams, plans and Vector or Search indices: their paths are 404, and
// calls that would change a database's plan, team or allow list are 400 with a reason.
// Resources are in the region of the deployment; to ask for another one is an error.
// What statistics have of billing is what AWS takes, as package price estimates it.
// Backups are made and restored while the request waits, and none are made daily; see package backup.
// TLS is what the deployment's URLs have. AutoUpgrade and ProdPack are kept and do nothing.
//
// Ids of Kafka's topics and credentials are the cluster's id, a dot, and their own.
package rest
