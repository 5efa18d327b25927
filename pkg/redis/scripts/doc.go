// Package scripts is the scripts and function libraries of databases, and the commands that keep and run them: EVAL, SCRIPT,
// FCALL, FUNCTION. Lua itself is in package script.
//
// [Scripts] are what an engine has of them; [Scripts.Commands] are the commands, for its table. What a script calls runs in
// the transaction of the command that runs the script. A script that fails leaves nothing that it wrote. One that is part
// of a MULTI and has written ends with a [Failure]: then the transaction runs again without it.
//
// Scripts and libraries are kept in generations, like the elements of a collection: SCRIPT FLUSH, and every change of the
// libraries, goes on to the next one, and the old one is reclaimed. The generations in force are in the
// database's record, so that what all instances know of it tells them which scripts
// there are: a script that an instance has once seen in a generation needs no read any more.
//
//	script    'e' db 's' generation  0x07 SHA-1               v (the source)
//	library   'e' db 'l' generation  0x08 name                v (the source)
package scripts
