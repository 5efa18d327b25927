// Package deliver sends QStash's requests over HTTP: signed, bounded in time and size,
// and only to addresses that a stranger may reach.
//
// # Which addresses
//
// Whoever may publish chooses where this process connects to, so every connection is
// checked when it is made, by the address it is made to: after the name has been looked
// up, and again for each connection, so that neither a name that changes its address nor
// any way to write one gets around it. Loopback, link-local (with the metadata services
// of clouds), private, shared, multicast, reserved and unspecified addresses are
// refused, as are the forms of IPv6 that carry an IPv4 address of these. [Config.Allow]
// makes exceptions. Redirects are not followed, they are the answer. Proxies from the
// environment are not used.
//
// # Connections
//
// Connections are kept for later requests. A destination may close one just when the next
// request goes out. If a request fails on a kept connection before any byte of an answer
// has come, it is sent once more, at once and on a connection of its own; for the engine
// both are one attempt. A request that may have met the destination is not repeated here:
// on a new connection, after the first byte of an answer, or when time is up.
//
// # Signature
//
// The field Upstash-Signature is a JWT (HS256) over the URL and the body's hash, see
// [Sign]. Receivers check it with the current and the next signing key.
package deliver
