// Package acl is the users of databases, and ACL: who may do what with which password. What rules mean is in package
// command, as [command.Rules].
//
// [Users] are what an engine has of them: [Users.Access] is what a user may do, [Users.Commands] are the commands, for the
// engine's table. The default user is whoever has a credential of the database; it is not stored.
//
// A user is an item beside the database's record:
//
//	user      'd' db                 'u' name                 r (the rules, a list of words), w (id of the last write), o (the write id
//	                                                          that it was made with), m and b (who made it, see maker.go)
//
// Rules hold hashes of passwords. An instance may use what it has read of a user for Config.MaxAge.
package acl
