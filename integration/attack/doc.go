// Package attack attacks a local server over HTTP and its protocols of connections, as a client that means harm would,
// and checks that every attack is refused. Each attack has worked once, or is one that could have been thought of.
//
// [README.md](README.md) lists the attacks, and for those that are tests of other packages where
// they are.
package attack
