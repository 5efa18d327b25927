package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// DEBUG, as far as it has a meaning here. Subcommands that would look into Redis's memory are refused, with the error of
// a server on which DEBUG is switched off.

// maxDebugSleep bounds DEBUG SLEEP: meanwhile it is not noticed that the client has gone.
const maxDebugSleep = time.Minute

// DEBUG subcommand [argument ...]
func debugCommand(b *batch, args []string) {
	switch sub := strings.ToLower(args[1]); {
	case sub == "sleep" && len(args) == 3:
		debugSleep(b, args[2])
	case sub == "object" && len(args) == 3:
		debugObject(b, args[2])
	case sub == "protocol" && len(args) == 3:
		debugProtocol(b, strings.ToLower(args[2]))
	case sub == "jmap",
		sub == "reload", sub == "loadaof", // nothing is in memory only
		sub == "set-active-expire" && len(args) == 3,          // keys expire to the millisecond, whatever is swept when
		sub == "quicklist-packed-threshold" && len(args) == 3: // lists have no nodes
		b.w.OK()
	default:
		b.fail(errDebug)
	}
}

// DEBUG SLEEP seconds
//
// Only the connection waits.
func debugSleep(b *batch, seconds string) {
	n, err := strconv.ParseFloat(seconds, 64)
	if err != nil || !(n >= 0 && n <= maxDebugSleep.Seconds()) {
		b.fail("ERR DEBUG SLEEP takes 0 to 60 seconds")
		return
	}
	b.turn.Release()
	timer := time.NewTimer(time.Duration(n * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.Life.Done():
	}
	b.over = true // the next command has a deadline of its own
	b.w.OK()
}

// dumpFrame is what DUMP adds to a value: its type in front of it, and behind it a version and a checksum.
const dumpFrame = 1 + 2 + 8

// DEBUG OBJECT key
//
// The encoding is the one that Redis would have chosen, the length that of what DUMP has.
func debugObject(b *batch, key string) {
	encoding, ok := b.ask("OBJECT", "ENCODING", key)
	if !ok {
		return
	}
	dump, ok := b.ask("DUMP", key)
	if !ok {
		return
	}
	// Nothing is at an address, and when a key was used last is not known.
	b.w.Simple(fmt.Sprintf("Value at:0x0 refcount:1 encoding:%s serializedlength:%d lru:%d lru_seconds_idle:0", encoding, len(dump)-dumpFrame, b.s.now().Unix()&0xffffff))
}

// ask runs a command that replies with a string about a key. It is not ok if there is none, which the client is told.
func (b *batch) ask(args ...string) (text string, ok bool) {
	var w resp.Writer
	if err := b.s.engine.Do(b.ctx, b.Database, b.Access, args, &w); err != nil {
		b.fail(b.failedText(err))
		return "", false
	}
	if refused, failed := resp.ErrorText(w.Buf); failed {
		b.fail(refused)
		return "", false
	}
	value, err := resp.Decode(w.Buf)
	if text, ok = value.(string); err != nil || !ok {
		b.fail("ERR no such key")
	}
	return text, ok
}

// DEBUG PROTOCOL type
//
// shows authors of clients a reply of each type.
func debugProtocol(b *batch, kind string) {
	switch kind {
	case "string":
		b.w.Bulk("Hello World")
	case "integer":
		b.w.Int(12345)
	case "double":
		b.w.Double(3.141)
	case "null":
		b.w.Null()
	case "array":
		b.w.Array(3)
		for i := range 3 {
			b.w.Int(int64(i))
		}
	case "set":
		b.w.Set(3)
		for i := range 3 {
			b.w.Int(int64(i))
		}
	case "map":
		b.w.Map(3)
		for i := range 3 {
			b.w.Int(int64(i))
			b.w.Bool(i == 1)
		}
	case "verbatim":
		b.w.Verbatim("This is a verbatim\nstring")
	case "true", "false":
		b.w.Bool(kind == "true")
	default:
		b.fail("ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|verbatim|true|false")
	}
}
