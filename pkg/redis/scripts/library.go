package scripts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store"
)

// libraries are the function libraries of a database in one generation. They do not change.
type libraries struct {
	list      []*functionLibrary          // in order of their names
	functions map[string]*libraryFunction // by their names in lower case
}

// function is the function of a name in any case, or nil.
func (ls *libraries) function(name string) *libraryFunction {
	return ls.functions[strings.ToLower(name)]
}

// functionLibrary is one library.
type functionLibrary struct {
	name      string
	source    string
	program   *script.Program
	functions []script.Function
}

// libraryFunction is a function and the library it is from.
type libraryFunction struct {
	script.Function
	library *functionLibrary
}

// librarySet names the libraries of a generation.
type librarySet struct {
	db  string
	gen int64
}

const maxLibraries = 90 // of a database; all are written in one commit

// maxRestored bounds the bytes of sources that FUNCTION RESTORE finds compressed in a payload.
const maxRestored = 4 << 20

var errTooManyLibraries = resp.Error(fmt.Sprintf("ERR a database can have %d function libraries", maxLibraries))

// compileLibrary compiles a library and finds out what functions it has.
func (s *Scripts) compileLibrary(ctx context.Context, source string) (*functionLibrary, error) {
	p, err := s.interpreter.CompileLibrary(source)
	if err != nil {
		return nil, luaError(err)
	}
	functions, err := s.interpreter.Functions(ctx, p)
	if err != nil {
		return nil, luaError(err)
	}
	if len(functions) == 0 {
		return nil, resp.Error("ERR No functions registered")
	}
	return &functionLibrary{name: p.Header.Library, source: source, program: p, functions: functions}, nil
}

// newLibraries puts libraries together. No two may have the same function.
func newLibraries(list []*functionLibrary) (*libraries, error) {
	ls := &libraries{list: list, functions: map[string]*libraryFunction{}}
	slices.SortFunc(list, func(a, b *functionLibrary) int { return strings.Compare(a.name, b.name) })
	for _, lib := range list {
		for _, f := range lib.functions {
			if ls.function(f.Name) != nil {
				return nil, resp.Error("ERR Function " + f.Name + " already exists")
			}
			ls.functions[strings.ToLower(f.Name)] = &libraryFunction{f, lib}
		}
	}
	return ls, nil
}

// librariesOf are the libraries of a database in a generation.
func (s *Scripts) librariesOf(ctx context.Context, db string, gen int64) (*libraries, error) {
	if gen <= 0 {
		return &libraries{}, nil
	}
	id := librarySet{db, gen}
	if ls, ok := s.libraries.get(id); ok {
		return ls, nil
	}
	q := store.Query{Partition: keyspace.ElemPartition(db, libraryGen(gen)), From: elemLibrary, To: store.PrefixEnd(elemLibrary)}
	var list []*functionLibrary
	cost := 1024
	for {
		page, err := s.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("reading function libraries: %w", err)
		}
		for _, it := range page.Items {
			lib, err := s.compileLibrary(ctx, it.Attrs.Get(keyspace.AttrValue).Str())
			if err != nil {
				return nil, err
			}
			list = append(list, lib)
			cost += len(lib.source) + 1024
		}
		if !page.More {
			break
		}
		q = q.Next(page)
	}
	ls, err := newLibraries(list)
	if err != nil {
		return nil, err
	}
	s.libraries.put(id, ls, cost)
	return ls, nil
}

// librariesIn are those in force in a transaction.
func (s *Scripts) librariesIn(tx *keyspace.Txn) (*libraries, error) {
	ls, err := s.librariesOf(tx.Context(), tx.Database().ID, tx.Database().Libs.In(tx.Now()))
	var refused resp.Error
	if err != nil && !errors.As(err, &refused) {
		tx.Fail(err)
	}
	return ls, err
}
