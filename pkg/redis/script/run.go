package script

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/skystash/skystash/pkg/redis/resp"
	lua "github.com/yuin/gopher-lua"
)

// run is one run of a program: its Lua state and all that library functions need to know.
type run struct {
	budget
	in         *Interpreter
	std        *environment
	state      *lua.LState
	globals    *lua.LTable
	env        *lua.LTable // the proxy of globals
	listed     *lua.LTable // all globals, once somebody has listed them
	resp3      bool
	native     bool              // see Input
	name       string            // see Input
	long       bool              // it may have a string of longText
	metatables int               // that it has set
	nested     int               // protected calls and coroutines under way
	threads    []*lua.LState     // of the protected calls
	tails      [tailCount][]byte // see join
	oldest     int               // of tails
	random     random
	json       jsonOptions
	library    *[]Function // while a library is loaded: what it has registered
}

func (in *Interpreter) newRun(ctx context.Context, host Host) *run {
	r := &run{in: in, std: in.std, json: defaultJSON}
	r.start(ctx, in.limits, host, r.measure)
	r.random.seed(rand.Int32())
	r.state = lua.NewState(lua.Options{
		SkipOpenLibs: true, CallStackSize: callDepth, MinimizeStackMemory: true,
		RegistrySize: 256, RegistryGrowStep: 1024, RegistryMaxSize: maxRegistry,
	})
	r.follow(r.state)
	r.state.Panic = untraced
	r.state.SetMetatable(lua.LString(""), r.std.strings)
	r.globals, r.env = r.std.globalsOf()
	return r
}

func (r *run) close() { r.state.Close() }

func (r *run) function(proto *lua.FunctionProto) *lua.LFunction {
	fn := r.state.NewFunctionFromProto(proto)
	fn.Env = r.env
	return fn
}

// call calls a function for its first result.
func (r *run) call(fn lua.LValue, arguments []lua.LValue) (lua.LValue, error) {
	err := r.state.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, arguments...)
	if r.stopped != nil {
		return nil, r.stopped
	}
	if err != nil {
		return nil, r.failure(errorValue(err))
	}
	v := r.state.Get(-1)
	r.state.Pop(1)
	return v, nil
}

// reply calls a function and writes its result.
func (r *run) reply(fn lua.LValue, arguments []lua.LValue, w *resp.Writer) error {
	v, err := r.call(fn, arguments)
	if err != nil {
		return err
	}
	mark := w.Len()
	if err := r.writeReply(w, v, 0); err != nil {
		w.Truncate(mark)
		return err
	}
	return nil
}

// runningScript precedes what went wrong in a run.
const runningScript = "ERR Error running script: "

// errorValue is the Lua value that was raised.
func errorValue(err error) lua.LValue {
	ae, ok := err.(*lua.ApiError)
	if !ok {
		return lua.LString(err.Error())
	}
	if s, ok := ae.Object.(lua.LString); ok {
		return lua.LString(luaWords(strings.TrimPrefix(string(s), " "))) // a blank stands where a place would
	}
	if ae.Object == nil || ae.Object == lua.LNil && ae.Type != lua.ApiErrorRun {
		return lua.LString(ae.Error())
	}
	return ae.Object
}

// failure is the error reply for a value that the run raised and nobody caught.
func (r *run) failure(v lua.LValue) Error {
	if r.native {
		return r.nativeError(v)
	}
	return scriptError(v)
}

// nativeError words an error as Redis does: what was raised, the script, and the line if it is known.
func (r *run) nativeError(v lua.LValue) Error {
	text, source, line := "", "", ""
	if t, ok := v.(*lua.LTable); ok {
		text = "ERR unknown error"
		if s, ok := t.RawGetString("err").(lua.LString); ok {
			text = string(s)
		}
		source, _ = toString(t.RawGetString("source"))
		line, _ = toString(t.RawGetString("line"))
	} else {
		text = "ERR " + v.String()
		if at, ok := strings.CutPrefix(v.String(), sourceName+":"); ok {
			source = "@" + sourceName
			line, _, _ = strings.Cut(at, ":")
		}
	}
	text += " script: " + r.name
	if line != "" {
		text += ", on " + source + ":" + line + "."
	}
	return Error(text)
}

// scriptError is the error reply for a value that a script raised and nobody caught.
func scriptError(v lua.LValue) Error {
	const prefix = runningScript
	switch v := v.(type) {
	case *lua.LTable:
		text, ok := v.RawGetString("err").(lua.LString)
		if !ok {
			return prefix + "unknown error"
		}
		if line, ok := v.RawGetString("line").(lua.LString); ok {
			source, _ := v.RawGetString("source").(lua.LString)
			return Error(fmt.Sprintf("%s%s:%s: %s", prefix, source, line, text))
		}
		return Error(prefix + string(text))
	case lua.LString:
		if strings.HasPrefix(string(v), sourceName+":") {
			return Error(prefix + "@" + string(v))
		}
		return Error(prefix + string(v))
	}
	return Error(prefix + v.String())
}

// maxMessage is longer than any message of gopher-lua, which may have a place and a name of the script in it.
const maxMessage = 4 << 10

// translations are gopher-lua's messages in Lua's words.
var translations = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`attempt to call a non-function object`), "attempt to call a nil value"},
	{regexp.MustCompile(`attempt to index a non-table object\((\w+)\) with key '[\s\S]*'`), "attempt to index a $1 value"},
	{regexp.MustCompile(`cannot perform \w+ operation between number and (\w+)`), "attempt to perform arithmetic on a $1 value"},
	{regexp.MustCompile(`cannot perform \w+ operation between (\w+) and \w+`), "attempt to perform arithmetic on a $1 value"},
	{regexp.MustCompile(`__unm undefined`), "attempt to perform arithmetic on a value that is no number"},
	{regexp.MustCompile(`__len undefined`), "attempt to get length of a value that has none"},
	{regexp.MustCompile(`can not yield from outside of a coroutine`), "attempt to yield across metamethod/C-call boundary"},
	{regexp.MustCompile(`lua callstack overflow|registry overflow`), "stack overflow"},
	{regexp.MustCompile(`attempt to compare table with table`), "attempt to compare two table values"},
	{regexp.MustCompile(`attempt to compare nil with nil`), "attempt to compare two nil values"},
	{regexp.MustCompile(`attempt to compare boolean with boolean`), "attempt to compare two boolean values"},
}

func luaWords(message string) string {
	if len(message) > maxMessage {
		return message // a script's own
	}
	for _, t := range translations {
		if t.from.MatchString(message) {
			return t.from.ReplaceAllString(message, t.to)
		}
	}
	return message
}
