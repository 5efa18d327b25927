package script

import (
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Function is a function that a library has registered.
type Function struct {
	Name        string
	Description string // "" if there is none
	Flags       Flags
	callback    *lua.LFunction
}

// maxFunctions bounds what one library may register.
const maxFunctions = 1000

// load runs a library's source and returns what it registers.
func (r *run) load(p *Program) ([]Function, error) {
	var functions []Function
	r.library = &functions
	r.globals.RawSetString("redis", r.std.loading)
	_, err := r.call(r.function(p.proto), nil)
	r.library = nil
	r.globals.RawSetString("redis", lua.LNil) // the shared one
	var e Error
	if errors.As(err, &e) {
		failed := "ERR Error registering functions: "
		if r.stopped != nil {
			failed = "ERR FUNCTION LOAD timeout: "
		}
		return nil, Error(failed + strings.TrimPrefix(string(e), runningScript))
	}
	return functions, err
}

// redis.register_function(name, callback)
// redis.register_function{function_name = ..., callback = ..., flags = {...}, description = ...}
func registerFunction(a args) int {
	r := a.run()
	if r.library == nil {
		return a.refuse("ERR redis.register_function can only be called on FUNCTION LOAD command")
	}
	f, text := a.described()
	if text != "" {
		return a.refuse("ERR " + text)
	}
	if !ValidName(f.Name) {
		return a.refuse("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")
	}
	for _, other := range *r.library {
		if other.Name == f.Name {
			return a.refuse("ERR Function already exists in the library")
		}
	}
	if len(*r.library) == maxFunctions {
		return a.refuse(fmt.Sprintf("ERR more than %d functions in a library", maxFunctions))
	}
	*r.library = append(*r.library, f)
	return 0
}

// described is the function that the arguments describe; text is what is wrong with them.
func (a args) described() (f Function, text string) {
	switch a.GetTop() {
	case 2:
		name, ok := toString(a.Get(1))
		if !ok {
			return f, "first argument to redis.register_function must be a string"
		}
		fn, ok := a.Get(2).(*lua.LFunction)
		if !ok {
			return f, "second argument to redis.register_function must be a function"
		}
		return Function{Name: name, callback: fn}, ""
	case 1:
		t, ok := a.Get(1).(*lua.LTable)
		if !ok {
			return f, "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments)."
		}
		return named(t)
	}
	return f, "wrong number of arguments to redis.register_function"
}

func named(t *lua.LTable) (f Function, text string) {
	t.ForEach(func(k, v lua.LValue) {
		if text != "" {
			return
		}
		ok := true
		switch k {
		case lua.LString("function_name"):
			if f.Name, ok = toString(v); !ok {
				text = "function_name argument given to redis.register_function must be a string"
			}
		case lua.LString("description"):
			if f.Description, ok = toString(v); !ok {
				text = "description argument given to redis.register_function must be a string"
			}
		case lua.LString("callback"):
			if f.callback, ok = v.(*lua.LFunction); !ok {
				text = "callback argument given to redis.register_function must be a function"
			}
		case lua.LString("flags"):
			flags, isTable := v.(*lua.LTable)
			if !isTable {
				text = "flags argument to redis.register_function must be a table representing function flags"
				return
			}
			for i := 1; i <= flags.Len(); i++ {
				if name, ok := flags.RawGetInt(i).(lua.LString); !ok || !f.Flags.add(string(name)) {
					text = "unknown flag given"
				}
			}
		default:
			text = "unknown argument given to redis.register_function"
		}
	})
	switch {
	case text != "":
	case f.Name == "":
		text = "redis.register_function must get a function name argument"
	case f.callback == nil:
		text = "redis.register_function must get a callback argument"
	}
	return f, text
}

// ValidName reports whether a library or a function may have a name.
func ValidName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isAlpha(c) && !isDigit(c) && c != '_' {
			return false
		}
	}
	return name != ""
}
