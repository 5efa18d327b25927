package script

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/resp"
	lua "github.com/yuin/gopher-lua"
)

func redisLibrary() library {
	return library{
		"call": redisCall, "pcall": redisPCall, "sha1hex": sha1Hex, "error_reply": errorReply, "status_reply": statusReply,
		"log": redisLog, "setresp": setResp, "acl_check_cmd": aclCheck, "set_repl": setRepl,
		// Redis's older ways of replication and its debugger are not needed or not there; scripts may ask for them.
		"replicate_commands": func(a args) int { return a.ret(lua.LTrue) },
		"breakpoint":         func(a args) int { return a.ret(lua.LFalse) },
		"debug":              func(a args) int { return 0 },
		"register_function": func(a args) int {
			return a.refuse("ERR redis.register_function can only be called on FUNCTION LOAD command")
		},
	}
}

// loadingLibrary is what a library has of redis while it is loaded.
func loadingLibrary() library {
	return library{"register_function": registerFunction, "log": redisLog}
}

// redisTable adds the constants.
func redisTable(lib library) *lua.LTable {
	t := lib.table()
	for name, n := range map[string]int{
		"LOG_DEBUG": 0, "LOG_VERBOSE": 1, "LOG_NOTICE": 2, "LOG_WARNING": 3,
		"REPL_NONE": 0, "REPL_AOF": 1, "REPL_SLAVE": 2, "REPL_REPLICA": 2, "REPL_ALL": 3,
		"REDIS_VERSION_NUM": 0x00070200,
	} {
		t.RawSetString(name, lua.LNumber(n))
	}
	t.RawSetString("REDIS_VERSION", lua.LString("7.2.0"))
	return t
}

// errorTable is an error as scripts see it.
func errorTable(text string) *lua.LTable {
	t := newRecord()
	t.RawSetString("err", lua.LString(text))
	return t
}

// refuse raises an error as redis.call does: a table that says where it was.
func (a args) refuse(text string) int {
	t := errorTable(text)
	if where := strings.TrimSuffix(a.Where(1), ":"); where != "" {
		if i := strings.LastIndexByte(where, ':'); i >= 0 {
			t.RawSetString("source", lua.LString("@"+where[:i]))
			t.RawSetString("line", lua.LString(where[i+1:]))
		}
	}
	a.Error(t, 1)
	return 0
}

// redis.call(command, ...)
func redisCall(a args) int {
	v, text := a.command()
	if text != "" {
		return a.refuse(text)
	}
	return a.ret(v)
}

// redis.pcall(command, ...)
func redisPCall(a args) int {
	v, text := a.command()
	if text != "" {
		t := errorTable(text)
		t.RawSetString("ignore_error_stats_update", lua.LTrue)
		return a.ret(t)
	}
	return a.ret(v)
}

// words are the arguments as a command's; text is what is wrong with them.
func (a args) words() (words []string, text string) {
	if a.GetTop() == 0 {
		return nil, "ERR Please specify at least one argument for this redis lib call"
	}
	words = make([]string, a.GetTop())
	if name, ok := a.Get(1).(lua.LString); ok {
		a.run().spend(a.LState, len(name)/16) // it is looked up without regard to case, and an error quotes it
	}
	for i := range words {
		switch v := a.Get(i + 1).(type) {
		case lua.LString:
			words[i] = string(v)
		case lua.LNumber:
			words[i] = a.numberText(float64(v))
		default:
			return nil, "ERR Lua redis lib command arguments must be strings or integers"
		}
	}
	return words, ""
}

// numberText is a number as an argument of a command: as Redis writes it, or see argument.
func (a args) numberText(f float64) string {
	if a.run().native {
		return formatG(f, 17)
	}
	return argument(f)
}

// argument is a number as an argument of a command: truncated, in plain digits.
func argument(f float64) string {
	if f > -(1<<63) && f < 1<<63 {
		return strconv.FormatInt(int64(f), 10)
	}
	if s := notFinite(f); s != "" {
		return s
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

// command runs a command and returns its reply, or the text of the error that it is.
func (a args) command() (lua.LValue, string) {
	r := a.run()
	words, text := a.words()
	if text != "" {
		return nil, text
	}
	reply, err := r.host.Call(words)
	if err != nil {
		r.stop(err)
		a.RaiseError("%s", err.Error())
	}
	if text, ok := resp.ErrorText(reply); ok {
		return nil, text
	}
	r.spend(a.LState, 16+len(reply)/4)
	r.reserve(a.LState, 2*len(reply))
	v, _, err := r.value(reply)
	if err != nil {
		r.stop(err)
		a.RaiseError("%s", err.Error())
	}
	return v, ""
}

// redis.sha1hex(text)
func sha1Hex(a args) int {
	if a.GetTop() != 1 {
		return a.refuse("ERR wrong number of arguments")
	}
	s, _ := toString(a.Get(1))
	a.run().spend(a.LState, len(s)/64)
	sum := sha1.Sum([]byte(s))
	return a.retText(hex.EncodeToString(sum[:]))
}

// single is the text that error_reply and status_reply take.
func (a args) single() (string, bool) {
	s, ok := a.Get(1).(lua.LString)
	return string(s), ok && a.GetTop() == 1
}

// redis.error_reply(text)
func errorReply(a args) int {
	a.run().reserve(a.LState, tableMemory)
	s, ok := a.single()
	if !ok {
		return a.ret(errorTable("ERR wrong number or type of arguments"))
	}
	s = strings.TrimPrefix(s, "-")
	if s == "" {
		s = "ERR "
	}
	return a.ret(errorTable(s))
}

// redis.status_reply(text)
func statusReply(a args) int {
	s, ok := a.single()
	if !ok {
		return a.ret(errorTable("ERR wrong number or type of arguments"))
	}
	a.run().reserve(a.LState, tableMemory)
	t := newRecord()
	t.RawSetString("ok", lua.LString(s))
	return a.ret(t)
}

// maxLogLine bounds a line that a script logs, in bytes, as in Redis.
const maxLogLine = 1024

// redis.log(level, message, ...)
func redisLog(a args) int {
	if a.GetTop() < 2 {
		return a.refuse("ERR redis.log() requires two arguments or more.")
	}
	level, ok := a.Get(1).(lua.LNumber)
	switch {
	case !ok:
		return a.refuse("ERR First argument must be a number (log level).")
	case level < 0 || level > 3:
		return a.refuse("ERR Invalid debug level.")
	}
	var line []byte
	for i := 2; i <= a.GetTop() && len(line) <= maxLogLine; i++ {
		s, ok := toString(a.Get(i))
		if !ok {
			continue
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		line = append(line, s[:min(len(s), maxLogLine+1)]...)
	}
	if len(line) > maxLogLine {
		line = append(line[:maxLogLine], "..."...)
	}
	a.run().reserve(a.LState, 2*len(line)) // as bytes, and as the string that the host gets
	if host := a.run().host; host != nil {
		host.Log(int(level), string(line))
	}
	return 0
}

// redis.setresp(version)
func setResp(a args) int {
	if a.GetTop() != 1 {
		return a.refuse("ERR redis.setresp() requires one argument.")
	}
	n, _ := toNumber(a.Get(1))
	if n != 2 && n != 3 {
		return a.refuse("ERR RESP version must be 2 or 3.")
	}
	a.run().resp3 = n == 3
	return 0
}

// redis.acl_check_cmd(command, ...)
func aclCheck(a args) int {
	if a.GetTop() == 0 {
		return a.refuse("ERR Please specify at least one argument for this redis.acl_check_cmd() call")
	}
	words, text := a.words()
	if text != "" {
		return a.refuse("ERR redis.acl_check_cmd() command arguments must be strings or integers")
	}
	ok, err := a.run().host.Allowed(words)
	var refused Error
	if errors.As(err, &refused) {
		return a.refuse(refused.Error())
	}
	return a.ret(lua.LBool(ok))
}

// redis.set_repl(flags): how a script is replicated is no concern of a script here.
func setRepl(a args) int {
	if a.GetTop() != 1 {
		return a.refuse("ERR redis.set_repl() requires one argument.")
	}
	if n, ok := toNumber(a.Get(1)); !ok || n < 0 || n > 3 || n != float64(int(n)) {
		return a.refuse("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	return 0
}
