package redis

import (
	"context"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/redis/script"
)

// FCALL, FCALL_RO, FUNCTION.

func (e *Engine) functionCommands() []*command {
	const group, f = "scripting", noscript | movable | scripting
	return []*command{
		{name: "fcall", arity: -3, flags: f, keys: scriptKeys, use: "RW access update", group: group, since: "7.0.0", summary: "Calls a function of a library.", run: e.fcall},
		{name: "fcall_ro", arity: -3, flags: f | readonly, keys: scriptKeys, group: group, since: "7.0.0", summary: "Calls a function of a library, which must not write.", run: e.fcall},
		e.functionCommand(),
	}
}

func (e *Engine) functionCommand() *command {
	const group, change = "scripting", write | noscript
	return &command{name: "function", arity: -2, group: group, since: "7.0.0", summary: "Manages the function libraries of the database.", subs: subcommands(
		&command{name: "load", arity: -3, flags: change | denyoom, tips: "request_policy:all_shards response_policy:all_succeeded", group: group, since: "7.0.0", summary: "Adds or replaces a library.", run: notInTransaction, outside: e.functionLoad},
		&command{name: "delete", arity: 3, flags: change, tips: "request_policy:all_shards response_policy:all_succeeded", group: group, since: "7.0.0", summary: "Removes a library.", run: notInTransaction, outside: e.functionDelete},
		&command{name: "flush", arity: -2, flags: change, tips: "request_policy:all_shards response_policy:all_succeeded", group: group, since: "7.0.0", summary: "Removes all libraries.", run: notInTransaction, outside: e.functionFlush},
		&command{name: "restore", arity: -3, flags: change | denyoom, tips: "request_policy:all_shards response_policy:all_succeeded", group: group, since: "7.0.0", summary: "Adds libraries from a serialized copy.", run: notInTransaction, outside: e.functionRestore},
		&command{name: "list", arity: -2, flags: noscript, tips: "nondeterministic_output_order", group: group, since: "7.0.0", summary: "Describes the libraries.", run: e.functionList},
		&command{name: "dump", arity: 2, flags: noscript, group: group, since: "7.0.0", summary: "Returns a serialized copy of all libraries.", run: e.functionDump},
		&command{name: "stats", arity: 2, flags: noscript, tips: "nondeterministic_output request_policy:all_shards response_policy:special", group: group, since: "7.0.0", summary: "Counts libraries and functions.", run: e.functionStats},
		&command{name: "kill", arity: 2, flags: noscript, tips: "request_policy:all_shards response_policy:one_succeeded", group: group, since: "7.0.0", summary: "Always NOTBUSY: a function never holds up others.", run: notBusy},
		helpCommand(group, "7.0.0",
			"DELETE <library-name>", "    Remove a library.",
			"DUMP", "    A serialized copy of all libraries.",
			"FLUSH [ASYNC|SYNC]", "    Remove all libraries.",
			"KILL", "    Always NOTBUSY.",
			"LIST [LIBRARYNAME <pattern>] [WITHCODE]", "    Describe the libraries.",
			"LOAD [REPLACE] <function-code>", "    Add or replace a library.",
			"RESTORE <payload> [FLUSH|APPEND|REPLACE]", "    Add libraries from a serialized copy. APPEND, the default, and REPLACE",
			"    keep what is there; FLUSH does not.",
			"STATS", "    Count libraries and functions."),
	)}
}

// FCALL function numkeys [key ...] [arg ...]
// FCALL_RO function numkeys [key ...] [arg ...]
//
// FCALL_RO calls any function, and refuses it when it writes.
func (e *Engine) fcall(c *call) error {
	ls, err := e.librariesIn(c.tx)
	if err != nil {
		return err
	}
	f := ls.functions[c.args[1]]
	if f == nil {
		return Error("ERR Function not found")
	}
	keys, args, err := keysAndArgs(c)
	if err == errNotInteger {
		err = Error("ERR Bad number of keys provided")
	}
	if err != nil {
		return err
	}
	return e.runScript(c, f.Flags, c.cmd.has(readonly), keys, args, func(ctx context.Context, in script.Input) error {
		return e.lua.interpreter.Call(ctx, f.library.program, f.Name, in, c.w)
	})
}

// FUNCTION LOAD [REPLACE] function-code
func (e *Engine) functionLoad(o *outsider) error {
	replace := false
	options := o.args[2 : len(o.args)-1]
	for _, option := range options {
		if !strings.EqualFold(option, "replace") {
			return Error("ERR Unknown option given: " + option)
		}
		replace = true
	}
	lib, err := e.lua.compileLibrary(o.ctx, o.args[len(o.args)-1])
	if err != nil {
		return err
	}
	err = e.changeLibraries(o.ctx, o.db, func(list []*functionLibrary) ([]*functionLibrary, error) {
		return addLibrary(list, lib, replace)
	})
	if err != nil {
		return err
	}
	o.w.Bulk(lib.name)
	return nil
}

// addLibrary adds a library, in the place of one of its name if that may be.
func addLibrary(list []*functionLibrary, lib *functionLibrary, replace bool) ([]*functionLibrary, error) {
	i := slices.IndexFunc(list, named(lib.name))
	if i < 0 {
		return append(list, lib), nil
	}
	if !replace {
		return nil, Error("ERR Library '" + lib.name + "' already exists")
	}
	list[i] = lib
	return list, nil
}

func named(name string) func(*functionLibrary) bool {
	return func(lib *functionLibrary) bool { return lib.name == name }
}

// FUNCTION DELETE library-name
func (e *Engine) functionDelete(o *outsider) error {
	err := e.changeLibraries(o.ctx, o.db, func(list []*functionLibrary) ([]*functionLibrary, error) {
		i := slices.IndexFunc(list, named(o.args[2]))
		if i < 0 {
			return nil, Error("ERR Library not found")
		}
		return slices.Delete(list, i, i+1), nil
	})
	if err != nil {
		return err
	}
	o.w.OK()
	return nil
}

// FUNCTION FLUSH [ASYNC | SYNC]
func (e *Engine) functionFlush(o *outsider) error {
	if len(o.args) != 2 && checkFlushArgs(o.args[1:]) != nil {
		return Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
	}
	err := e.changeLibraries(o.ctx, o.db, func([]*functionLibrary) ([]*functionLibrary, error) { return nil, nil })
	if err != nil {
		return err
	}
	o.w.OK()
	return nil
}

// FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]
func (e *Engine) functionRestore(o *outsider) error {
	flush, replace := false, false
	switch {
	case len(o.args) == 3:
	case len(o.args) > 4:
		return errUnknownSub(o.args[0], o.args[1])
	case strings.EqualFold(o.args[3], "flush"):
		flush = true
	case strings.EqualFold(o.args[3], "replace"):
		replace = true
	case !strings.EqualFold(o.args[3], "append"):
		return Error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
	}
	sources, err := rdb.LoadLibraries(o.args[2])
	if err != nil {
		return errBadPayload
	}
	var libs []*functionLibrary
	for _, source := range sources {
		lib, err := e.lua.compileLibrary(o.ctx, source)
		if err != nil {
			return err
		}
		libs = append(libs, lib)
	}
	err = e.changeLibraries(o.ctx, o.db, func(list []*functionLibrary) ([]*functionLibrary, error) {
		if flush {
			list = nil
		}
		var err error
		for _, lib := range libs {
			if list, err = addLibrary(list, lib, replace); err != nil {
				return nil, err
			}
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	o.w.OK()
	return nil
}

// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]
func (e *Engine) functionList(c *call) error {
	pattern, withCode := "*", false
	for i := 2; i < len(c.args); i++ {
		switch {
		case c.is(i, "withcode") && !withCode:
			withCode = true
		case c.is(i, "libraryname") && pattern == "*":
			if i++; i == len(c.args) {
				return Error("ERR library name argument was not given")
			}
			pattern = c.args[i]
		default:
			return Error("ERR Unknown argument " + c.args[i])
		}
	}
	ls, err := e.librariesIn(c.tx)
	if err != nil {
		return err
	}
	mark, n := c.w.Mark(), 0
	for _, lib := range ls.list {
		if c.tx.matches(pattern, lib.name) {
			writeLibrary(c, lib, withCode)
			n++
		}
	}
	c.w.ArrayAt(mark, n)
	return nil
}

func writeLibrary(c *call, lib *functionLibrary, withCode bool) {
	w := c.w
	if withCode {
		w.Map(4)
	} else {
		w.Map(3)
	}
	w.Bulk("library_name")
	w.Bulk(lib.name)
	w.Bulk("engine")
	w.Bulk("LUA")
	w.Bulk("functions")
	w.Array(len(lib.functions))
	for _, f := range lib.functions {
		w.Map(3)
		w.Bulk("name")
		w.Bulk(f.Name)
		w.Bulk("description")
		w.BulkOrNull(f.Description, f.Description != "")
		w.Bulk("flags")
		writeWords(w, f.Flags.Names())
	}
	if withCode {
		w.Bulk("library_code")
		w.Bulk(lib.source)
	}
}

// FUNCTION DUMP
func (e *Engine) functionDump(c *call) error {
	ls, err := e.librariesIn(c.tx)
	if err != nil {
		return err
	}
	var sources []string
	for _, lib := range ls.list {
		sources = append(sources, lib.source)
	}
	c.w.Bulk(rdb.DumpLibraries(sources))
	return nil
}

// FUNCTION STATS
func (e *Engine) functionStats(c *call) error {
	ls, err := e.librariesIn(c.tx)
	if err != nil {
		return err
	}
	c.w.Map(2)
	c.w.Bulk("running_script")
	c.w.Null()
	c.w.Bulk("engines")
	c.w.Map(1)
	c.w.Bulk("LUA")
	c.w.Map(2)
	c.w.Bulk("libraries_count")
	c.w.Int(int64(len(ls.list)))
	c.w.Bulk("functions_count")
	c.w.Int(int64(len(ls.functions)))
	return nil
}
