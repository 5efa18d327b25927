package wire

import (
	"fmt"
	"strings"
)

// Errors in Redis's words.
const (
	errNoAuth       = "NOAUTH Authentication required."
	errWrongPass    = "WRONGPASS invalid username-password pair or user is disabled."
	errNoProto      = "NOPROTO unsupported protocol version"
	errProtoNumber  = "ERR Protocol version is not an integer or out of range"
	errHelloNoAuth  = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errClientName   = "ERR Client names cannot contain spaces, newlines or special characters."
	errSyntax       = "ERR syntax error"
	errInteger      = "ERR value is not an integer or out of range"
	errDBIndex      = "ERR DB index is out of range"
	errCluster      = "ERR This instance has cluster support disabled"
	errDebug        = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server."
	errInMulti      = "ERR Command not allowed inside a transaction"
	errShardInMulti = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"
	errMonInMulti   = "ERR MONITOR isn't allowed for DENY BLOCKING client"
	errNested       = "ERR MULTI calls can not be nested"
	errWatchMulti   = "ERR WATCH inside MULTI is not allowed"
	errNoExec       = "ERR EXEC without MULTI"
	errNoDiscard    = "ERR DISCARD without MULTI"
	errAborted      = "EXECABORT Transaction discarded because of previous errors."
	errNoClient     = "ERR No such client"
	errUnblocked    = "UNBLOCKED client unblocked via CLIENT UNBLOCK"
	errMaxClients   = "ERR max number of clients reached"
	errStillListens = "ERR This connection receives what the new login may not: it keeps its login, RESET ends it"
)

// errUnknown is the error for a command that there is not, which clients recognize. Redis shows 128 bytes
// of the arguments.
func errUnknown(args []string) string {
	const most = 128
	name := args[0]
	if len(name) > most {
		name = name[:most]
	}
	var b strings.Builder
	for _, arg := range args[1:] {
		if b.Len() >= most {
			break
		}
		fmt.Fprintf(&b, "'%.*s' ", most-b.Len(), arg)
	}
	return fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", name, b.String())
}

// errListening is the error for a command that a subscriber of RESP2 may not send.
func errListening(args []string) string {
	return fmt.Sprintf("ERR Can't execute '%.128s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", strings.ToLower(args[0]))
}
