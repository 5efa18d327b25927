package scripts

import (
	"context"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
)

// FCALL, FCALL_RO, FUNCTION.

func (s *Scripts) functionCommands() []*command.Command {
	const group, f = "scripting", command.NoScript | command.Movable | command.Scripting
	return []*command.Command{
		{Name: "fcall", Arity: -3, Flags: f, Keys: scriptKeys, Use: "RW access update", Group: group, Since: "7.0.0", Summary: "Calls a function of a library.", Run: s.fcall},
		{Name: "fcall_ro", Arity: -3, Flags: f | command.ReadOnly, Keys: scriptKeys, Group: group, Since: "7.0.0", Summary: "Calls a function of a library, which must not write.", Run: s.fcall},
		s.functionCommand(),
	}
}

func (s *Scripts) functionCommand() *command.Command {
	const group, change = "scripting", command.Write | command.NoScript
	return &command.Command{Name: "function", Arity: -2, Group: group, Since: "7.0.0", Summary: "Manages the function libraries of the database.", Subcommands: command.Subcommands(
		&command.Command{Name: "load", Arity: -3, Flags: change | command.DenyOOM, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: group, Since: "7.0.0", Summary: "Adds or replaces a library.", Run: command.NotInTransaction, Outside: s.functionLoad},
		&command.Command{Name: "delete", Arity: 3, Flags: change, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: group, Since: "7.0.0", Summary: "Removes a library.", Run: command.NotInTransaction, Outside: s.functionDelete},
		&command.Command{Name: "flush", Arity: -2, Flags: change, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: group, Since: "7.0.0", Summary: "Removes all libraries.", Run: command.NotInTransaction, Outside: s.functionFlush},
		&command.Command{Name: "restore", Arity: -3, Flags: change | command.DenyOOM, Tips: "request_policy:all_shards response_policy:all_succeeded", Group: group, Since: "7.0.0", Summary: "Adds libraries from a serialized copy.", Run: command.NotInTransaction, Outside: s.functionRestore},
		&command.Command{Name: "list", Arity: -2, Flags: command.NoScript, Tips: "nondeterministic_output_order", Group: group, Since: "7.0.0", Summary: "Describes the libraries.", Run: s.functionList},
		&command.Command{Name: "dump", Arity: 2, Flags: command.NoScript, Group: group, Since: "7.0.0", Summary: "Returns a serialized copy of all libraries.", Run: s.functionDump},
		&command.Command{Name: "stats", Arity: 2, Flags: command.NoScript, Tips: "nondeterministic_output request_policy:all_shards response_policy:special", Group: group, Since: "7.0.0", Summary: "Counts libraries and functions.", Run: s.functionStats},
		&command.Command{Name: "kill", Arity: 2, Flags: command.NoScript, Tips: "request_policy:all_shards response_policy:one_succeeded", Group: group, Since: "7.0.0", Summary: "Always NOTBUSY: a function never holds up others.", Run: notBusy},
		command.Help(group, "7.0.0",
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
// FCALL_RO calls any function over REST, and refuses it when it writes. Over Redis's own protocol it calls only those that say they do not.
func (s *Scripts) fcall(c *command.Call) error {
	ls, err := s.librariesIn(c.Txn)
	if err != nil {
		return err
	}
	f := ls.function(c.Args[1])
	if f == nil {
		return resp.Error("ERR Function not found")
	}
	if c.Native() && c.Command.Has(command.ReadOnly) && !f.Flags.NoWrites {
		return resp.Error("ERR Can not execute a script with write flag using *_ro command.")
	}
	keys, args, err := keysAndArgs(c)
	if err == command.ErrNotInteger {
		err = resp.Error("ERR Bad number of keys provided")
	}
	if err != nil {
		return err
	}
	return s.runScript(c, f.Name, f.Flags, c.Command.Has(command.ReadOnly), keys, args, func(ctx context.Context, in script.Input) error {
		return s.interpreter.Call(ctx, f.library.program, f.Name, in, c.W)
	})
}

// FUNCTION LOAD [REPLACE] function-code
func (s *Scripts) functionLoad(o *command.Outside) error {
	replace := false
	options := o.Args[2 : len(o.Args)-1]
	for _, option := range options {
		if !strings.EqualFold(option, "replace") {
			return resp.Error("ERR Unknown option given: " + option)
		}
		replace = true
	}
	lib, err := s.compileLibrary(o.Context, o.Args[len(o.Args)-1])
	if err != nil {
		return err
	}
	err = s.changeLibraries(o.Context, o.Database, func(list []*functionLibrary) ([]*functionLibrary, error) {
		return addLibrary(list, lib, replace)
	})
	if err != nil {
		return err
	}
	o.W.Bulk(lib.name)
	return nil
}

// addLibrary adds a library, in the place of one of its name if that may be.
func addLibrary(list []*functionLibrary, lib *functionLibrary, replace bool) ([]*functionLibrary, error) {
	i := slices.IndexFunc(list, named(lib.name))
	if i < 0 {
		return append(list, lib), nil
	}
	if !replace {
		return nil, resp.Error("ERR Library '" + lib.name + "' already exists")
	}
	list[i] = lib
	return list, nil
}

func named(name string) func(*functionLibrary) bool {
	return func(lib *functionLibrary) bool { return lib.name == name }
}

// FUNCTION DELETE library-name
func (s *Scripts) functionDelete(o *command.Outside) error {
	err := s.changeLibraries(o.Context, o.Database, func(list []*functionLibrary) ([]*functionLibrary, error) {
		i := slices.IndexFunc(list, named(o.Args[2]))
		if i < 0 {
			return nil, resp.Error("ERR Library not found")
		}
		return slices.Delete(list, i, i+1), nil
	})
	if err != nil {
		return err
	}
	o.W.OK()
	return nil
}

// FUNCTION FLUSH [ASYNC | SYNC]
func (s *Scripts) functionFlush(o *command.Outside) error {
	if len(o.Args) > 3 {
		return command.ErrSubArgs(o.Args[0], o.Args[1])
	}
	if len(o.Args) != 2 && command.CheckFlushArgs(o.Args[1:]) != nil {
		return resp.Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
	}
	err := s.changeLibraries(o.Context, o.Database, func([]*functionLibrary) ([]*functionLibrary, error) { return nil, nil })
	if err != nil {
		return err
	}
	o.W.OK()
	return nil
}

// FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]
func (s *Scripts) functionRestore(o *command.Outside) error {
	flush, replace := false, false
	switch {
	case len(o.Args) == 3:
	case len(o.Args) > 4:
		return command.ErrSubArgs(o.Args[0], o.Args[1])
	case strings.EqualFold(o.Args[3], "flush"):
		flush = true
	case strings.EqualFold(o.Args[3], "replace"):
		replace = true
	case !strings.EqualFold(o.Args[3], "append"):
		return resp.Error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
	}
	sources, err := rdb.LoadLibraries(o.Args[2], maxLibraries, maxRestored)
	if err != nil {
		return command.ErrBadPayload
	}
	if len(sources) > maxLibraries {
		return errTooManyLibraries
	}
	var libs []*functionLibrary
	for _, source := range sources {
		lib, err := s.compileLibrary(o.Context, source)
		if err != nil {
			return err
		}
		libs = append(libs, lib)
	}
	err = s.changeLibraries(o.Context, o.Database, func(list []*functionLibrary) ([]*functionLibrary, error) {
		if flush {
			list = nil
		}
		var err error
		for _, lib := range libs {
			if !replace && command.CallerOf(o.Context) != nil && slices.ContainsFunc(list, named(lib.name)) {
				return nil, resp.Error("ERR Library " + lib.name + " already exists")
			}
			if list, err = addLibrary(list, lib, replace); err != nil {
				return nil, err
			}
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	o.W.OK()
	return nil
}

// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]
func (s *Scripts) functionList(c *command.Call) error {
	pattern, withCode := "*", false
	for i := 2; i < len(c.Args); i++ {
		switch {
		case c.Is(i, "withcode") && !withCode:
			withCode = true
		case c.Is(i, "libraryname") && pattern == "*":
			if i++; i == len(c.Args) {
				return resp.Error("ERR library name argument was not given")
			}
			pattern = c.Args[i]
		default:
			return resp.Error("ERR Unknown argument " + c.Args[i])
		}
	}
	ls, err := s.librariesIn(c.Txn)
	if err != nil {
		return err
	}
	mark, n := c.W.Mark(), 0
	for _, lib := range ls.list {
		if c.Txn.Matches(pattern, lib.name) {
			writeLibrary(c, lib, withCode)
			n++
		}
	}
	c.W.ArrayAt(mark, n)
	return nil
}

func writeLibrary(c *command.Call, lib *functionLibrary, withCode bool) {
	w := c.W
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
		command.WriteWords(w, f.Flags.Names())
	}
	if withCode {
		w.Bulk("library_code")
		w.Bulk(lib.source)
	}
}

// FUNCTION DUMP
func (s *Scripts) functionDump(c *command.Call) error {
	ls, err := s.librariesIn(c.Txn)
	if err != nil {
		return err
	}
	var sources []string
	for _, lib := range ls.list {
		sources = append(sources, lib.source)
	}
	c.W.Bulk(rdb.DumpLibraries(sources))
	return nil
}

// FUNCTION STATS
func (s *Scripts) functionStats(c *command.Call) error {
	ls, err := s.librariesIn(c.Txn)
	if err != nil {
		return err
	}
	c.W.Map(2)
	c.W.Bulk("running_script")
	c.W.Null()
	c.W.Bulk("engines")
	c.W.Map(1)
	c.W.Bulk("LUA")
	c.W.Map(2)
	c.W.Bulk("libraries_count")
	c.W.Int(int64(len(ls.list)))
	c.W.Bulk("functions_count")
	c.W.Int(int64(len(ls.functions)))
	return nil
}
