package script

import (
	lua "github.com/yuin/gopher-lua"
)

// environment is what all runs share: the library functions and tables, which
// nothing can change, because scripts only get proxies of the tables: empty tables
// that read from another one and refuse to be written.
type environment struct {
	globals *lua.LTable                 // what all runs have
	base    *lua.LTable                 // metatable of a run's own globals, behind which are those
	proxies map[*lua.LTable]*lua.LTable // proxy -> what it stands for
	strings *lua.LTable                 // metatable of strings
	marked  map[string]*lua.LFunction   // see rewrite.go
	null    *lua.LUserData              // cjson.null
	write   *lua.LFunction              // refuses a write to a proxy
	loading lua.LValue                  // the redis table while a library is loaded
}

// library is a table of functions.
type library map[string]func(a args) int

// function makes a library function a Lua value. Functions belong to no state
// and can be shared.
func function(name string, fn func(a args) int) *lua.LFunction {
	return &lua.LFunction{IsG: true, GFunction: func(L *lua.LState) int {
		return fn(args{L, name})
	}}
}

func (lib library) table() *lua.LTable {
	t := &lua.LTable{Metatable: lua.LNil}
	for name, fn := range lib {
		t.RawSetString(name, function(name, fn))
	}
	return t
}

func newEnvironment() *environment {
	e := &environment{
		globals: &lua.LTable{Metatable: lua.LNil},
		base:    &lua.LTable{Metatable: lua.LNil},
		proxies: map[*lua.LTable]*lua.LTable{},
		null:    &lua.LUserData{Metatable: lua.LNil},
		write:   function("", refuseWrite),
		marked: map[string]*lua.LFunction{
			markConcat: function("concat", concat),
			markStart:  function("for", loopBound("'for' initial value must be a number")),
			markLimit:  function("for", loopBound("'for' limit must be a number")),
			markStep:   function("for", loopBound("'for' step must be a number")),
			markKey:    function("key", checkKey),
			markTable:  function("table", countTable),
		},
	}
	for name, fn := range baseLibrary() {
		e.globals.RawSetString(name, function(name, fn))
	}
	e.globals.RawSetString("_VERSION", lua.LString(lua.LuaVersion))
	missing := &lua.LTable{Metatable: lua.LNil}
	missing.RawSetString("__index", function("", missingGlobal))
	e.globals.Metatable = missing
	e.base.RawSetString("__index", e.globals)
	stringTable := stringLibrary().table()
	for name, t := range map[string]*lua.LTable{
		"string": stringTable, "table": tableLibrary().table(), "math": mathTable(), "coroutine": coroutineTable(),
		"bit": bitLibrary().table(), "struct": structLibrary().table(), "cmsgpack": packTable(), "cjson": e.jsonTable(),
		"os": osLibrary().table(), "redis": redisTable(redisLibrary()),
	} {
		e.globals.RawSetString(name, e.proxy(t))
	}
	e.loading = e.proxy(redisTable(loadingLibrary()))
	e.strings = &lua.LTable{Metatable: lua.LNil}
	e.strings.RawSetString("__index", stringTable)
	for event, op := range arithmetic {
		e.strings.RawSetString(event, function(event, op))
	}
	e.strings.RawSetString("__metatable", lua.LFalse)
	return e
}

// proxy makes a read-only view of a table.
func (e *environment) proxy(of *lua.LTable) *lua.LTable {
	p := &lua.LTable{Metatable: e.view(of)}
	e.proxies[p] = of
	return p
}

// view is the metatable of a table that stands for another.
func (e *environment) view(of *lua.LTable) *lua.LTable {
	meta := &lua.LTable{Metatable: lua.LNil}
	meta.RawSetString("__index", of)
	meta.RawSetString("__newindex", e.write)
	meta.RawSetString("__metatable", lua.LFalse)
	return meta
}

const readonly = "Attempt to modify a readonly table"

func refuseWrite(a args) int {
	a.RaiseError(readonly)
	return 0
}

func missingGlobal(a args) int {
	a.RaiseError("Script attempted to access nonexistent global variable '%s'", a.Get(2).String())
	return 0
}

// globalsOf makes the globals that are a run's own, and the proxy through which scripts see these and the
// shared ones.
func (e *environment) globalsOf() (globals, proxy *lua.LTable) {
	globals = &lua.LTable{Metatable: e.base}
	proxy = &lua.LTable{Metatable: e.view(globals)}
	globals.RawSetString("_G", proxy)
	return globals, proxy
}

// behind is the table whose members a script may list: itself, or what a proxy stands for.
func (r *run) behind(t *lua.LTable) *lua.LTable {
	if t == r.env {
		return r.allGlobals()
	}
	if of := r.std.proxies[t]; of != nil {
		return of
	}
	return t
}

// writable refuses tables that are read-only.
func (r *run) writable(L *lua.LState, t *lua.LTable) *lua.LTable {
	if r.behind(t) != t {
		L.Error(lua.LString(readonly), 0)
	}
	return t
}

// allGlobals is a table of the shared globals and the run's own, for those who list them.
func (r *run) allGlobals() *lua.LTable {
	if r.listed == nil {
		r.listed = &lua.LTable{Metatable: lua.LNil}
		for _, from := range []*lua.LTable{r.std.globals, r.globals} {
			from.ForEach(r.listed.RawSet)
		}
	}
	return r.listed
}
