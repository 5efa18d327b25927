package script

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// maxNested bounds how deep protected calls and coroutines may be nested in each other. Each has a
// stack of its own.
const maxNested = 100

// thread makes a stack whose steps count as those of the run. The deeper it is nested, the fewer calls it has
// room for, since what limits them all is the one stack of the goroutine.
func (a args) thread() *lua.LState {
	r := a.run()
	if r.nested == maxNested {
		a.RaiseError("C stack overflow")
	}
	r.reserve(a.LState, threadSize)
	room := a.Options.CallStackSize
	a.LState.Options.CallStackSize = max(room/2, 250)
	th, _ := a.NewThread()
	a.LState.Options.CallStackSize = room
	r.follow(th)
	th.Panic = untraced
	return th
}

// untraced ends a stack with the error on its top. gopher-lua's own way writes down all calls under way, which
// nobody reads and which takes the square of their number.
func untraced(L *lua.LState) {
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: L.Get(-1), StackTrace: " "})
}

// raised calls the function that was pushed onto a stack with its arguments, and returns what it raised. The stack can
// not be used after an error. gopher-lua's PCall would do, but for its description of all calls under way.
func raised(th *lua.LState, arguments int) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *lua.ApiError:
			err = v
		default:
			err = &lua.ApiError{Type: lua.ApiErrorPanic, Object: lua.LString(fmt.Sprint(v))}
		}
	}()
	th.Call(arguments, lua.MultRet)
	return nil
}

// nest calls fn one level deeper.
func (a args) nest(fn func()) {
	r, current := a.run(), a.G.CurrentThread
	r.nested++
	defer func() {
		r.nested--
		a.G.CurrentThread = current
	}()
	fn()
}

// protected calls a function and catches what it raises. It runs on a stack of its own because an error
// makes gopher-lua close the upvalues of all functions on a stack, whether the error passes through them or not.
func (a args) protected(fn lua.LValue, arguments []lua.LValue) (results []lua.LValue, err error) {
	if fn.Type() != lua.LTFunction && a.GetMetaField(fn, "__call") == lua.LNil {
		return nil, fmt.Errorf("attempt to call a %s value", fn.Type().String())
	}
	th := a.thread()
	r := a.run()
	r.threads = append(r.threads, th)
	defer func() { r.threads = r.threads[:len(r.threads)-1] }()
	a.nest(func() {
		th.Push(fn)
		for _, v := range arguments {
			th.Push(v)
		}
		if err = raised(th, len(arguments)); err == nil {
			results = args{th, ""}.rest(1)
		}
	})
	th.Close()
	if err != nil && r.stopped == nil {
		r.spend(a.LState, 32) // of making the error
	}
	return results, err
}

// coroutineTable is gopher-lua's library, but that the steps of coroutines count as
// those of the run that made them, and that they cannot be nested without end.
func coroutineTable() *lua.LTable {
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	lua.OpenCoroutine(L)
	theirs := L.Get(-1).(*lua.LTable)
	fn := func(name string) lua.LGFunction { return theirs.RawGetString(name).(*lua.LFunction).GFunction }
	create, wrap, resume, status, yield := fn("create"), fn("wrap"), fn("resume"), fn("status"), fn("yield")
	nested := func(resume lua.LGFunction) func(args) int {
		return func(a args) (n int) {
			if a.run().nested == maxNested {
				a.RaiseError("C stack overflow")
			}
			a.nest(func() { n = resume(a.LState) })
			return n
		}
	}
	make := func(a args, theirs lua.LGFunction) lua.LValue {
		a.function(1)
		a.run().reserve(a.LState, threadSize)
		room := a.Options.CallStackSize
		a.LState.Options.CallStackSize = max(room/2, 250)
		theirs(a.LState)
		a.LState.Options.CallStackSize = room
		return a.Get(-1)
	}
	follow := func(a args, th *lua.LState) {
		a.run().follow(th)
		th.Panic = untraced
	}
	return library{
		"create": func(a args) int {
			follow(a, make(a, create).(*lua.LState))
			return 1
		},
		"wrap": func(a args) int {
			w := make(a, wrap).(*lua.LFunction)
			follow(a, w.Upvalues[0].Value().(*lua.LState))
			ours := function("wrap", nested(w.GFunction))
			ours.Upvalues = w.Upvalues // the coroutine
			return a.ret(ours)
		},
		"resume": nested(resume),
		"status": func(a args) int { return status(a.LState) },
		"yield":  func(a args) int { return yield(a.LState) },
		"running": func(a args) int {
			if a.G.CurrentThread == a.G.MainThread {
				return a.ret(lua.LNil)
			}
			return a.ret(a.G.CurrentThread)
		},
	}.table()
}
