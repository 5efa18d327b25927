// Package command is the table of commands: what each is called, takes and does. COMMAND, access rules, metering and servers
// of connections read the same [Table].
//
// A [Command] is declared beside its code, in cmd_*.go by subject. Run works in the transaction of a [Call], on the keys
// of package keyspace, and writes the reply. It checks all arguments before it writes anything: a command that fails has
// changed nothing. Direct, if there is one, is the blind form: it says which blind write does the same, and what it
// replies. It may decline any arguments. Outside is for what no transaction can do.
//
// A command that asks for more than keys and what [Host] has is declared where that is: in packages acl, pubsub and scripts,
// and in the engine, which adds all of them to the table. Those that a connection carries out itself, such as HELLO and
// MULTI, are declared here without code, with the flag [Session].
//
// A new command is an entry in a cmd_*.go file and its function, a line in docs.txt for COMMAND DOCS (see docs.go), and mostly
// nothing else: which keys it has, who may run it and what it counts as all follow from the entry.
//
// [Access] is what a caller may run, by [Rules] in the words of ACL SETUSER. Every command is checked by
// [Access.Check], wherever it comes from.
package command
