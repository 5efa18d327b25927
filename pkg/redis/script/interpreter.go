package script

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// Error is a failure that clients are told, in the words of an error reply.
type Error string

func (e Error) Error() string { return string(e) }

// MaxSource is the largest source that is compiled, in bytes.
const MaxSource = 350 << 10

// sourceName is what scripts see as the name of their source, in messages.
const sourceName = "user_script"

// Interpreter compiles and runs programs. It is safe for concurrent use.
type Interpreter struct {
	limits Limits
	std    *environment
}

// New makes an interpreter whose runs are bounded by limits.
func New(limits Limits) *Interpreter {
	return &Interpreter{limits: limits.orDefaults(), std: newEnvironment()}
}

// Program is a compiled source.
type Program struct {
	Header Header
	proto  *lua.FunctionProto

	longest int // bytes of the longest string in it
}

// longestConstant is the length of the longest string in a function's code.
func longestConstant(p *lua.FunctionProto) int {
	n := 0
	for _, v := range p.Constants {
		if s, ok := v.(lua.LString); ok {
			n = max(n, len(s))
		}
	}
	for _, inner := range p.FunctionPrototypes {
		n = max(n, longestConstant(inner))
	}
	return n
}

// Compile compiles a script. Errors are of type Error.
func (in *Interpreter) Compile(source string) (*Program, error) {
	return in.program(source, false, "ERR Error compiling script (new function): ")
}

// CompileLibrary compiles a function library. Errors are of type Error.
func (in *Interpreter) CompileLibrary(source string) (*Program, error) {
	return in.program(source, true, "ERR Error compiling function: ")
}

func (in *Interpreter) program(source string, library bool, failure string) (*Program, error) {
	h, body, err := parseHeader(source, library)
	if err != nil {
		return nil, err
	}
	proto, err := in.compile(body, sourceName)
	if err != nil {
		return nil, Error(failure + err.Error())
	}
	return &Program{Header: h, proto: proto, longest: longestConstant(proto)}, nil
}

func (in *Interpreter) compile(source, name string) (proto *lua.FunctionProto, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", name, p) // gopher-lua's compiler panics when it runs out of registers
		}
	}()
	if len(source) > MaxSource {
		return nil, fmt.Errorf("%s: the source has %d bytes, more than %d", name, len(source), MaxSource)
	}
	if strings.HasPrefix(source, "\x1bLua") {
		return nil, fmt.Errorf("%s: bytecode is not loaded", name)
	}
	chunk, err := parse.Parse(strings.NewReader(source), name)
	if err != nil {
		return nil, syntaxError(err, name, 1+strings.Count(source, "\n"))
	}
	return in.finish(chunk, name)
}

// finish turns a syntax tree into code.
func (in *Interpreter) finish(chunk []ast.Stmt, name string) (*lua.FunctionProto, error) {
	var r rewriter
	r.stmts(chunk)
	switch {
	case r.failed:
		return nil, fmt.Errorf("%s:%d: chunk has too many syntax levels", name, r.line)
	case r.marked:
		return nil, fmt.Errorf("%s: a string is reserved", name)
	}
	proto, err := lua.Compile(chunk, name)
	if err != nil {
		var ce *lua.CompileError
		if errors.As(err, &ce) {
			return nil, fmt.Errorf("%s:%d: %s", name, ce.Line, ce.Message)
		}
		return nil, err
	}
	link(proto, in.std.marked)
	return proto, nil
}

// syntaxError words a parser's error as Lua does. lines is how many the source has.
func syntaxError(err error, name string, lines int) error {
	var pe *parse.Error
	if !errors.As(err, &pe) {
		return err
	}
	message := strings.Replace(strings.TrimSpace(pe.Message), "unterminated", "unfinished", 1)
	line, token := pe.Pos.Line, strings.TrimRight(pe.Token, "\x00")
	if line == parse.EOF {
		line, token = lines, "<eof>"
	}
	return fmt.Errorf("%s:%d: %s near '%s'", name, line, message, token)
}

// Host is what a run may do in the world.
type Host interface {
	// Call carries out a command and returns its reply, which may be a Redis
	// error. An error ends the run and is what Run returns.
	Call(args []string) (reply []byte, err error)
	// Allowed reports whether the caller may run a command. An unknown one is an Error.
	Allowed(args []string) (bool, error)
	// Use is told now and then how many steps the run has taken since, and by how many bytes what its values
	// take has grown. An error ends the run and is what Run returns.
	Use(steps, bytes int64) error
	// Waited is how long the host has waited in Call and Use until it was its turn. It does not count as time
	// of a run.
	Waited() time.Duration
	// Log takes a message; level is from 0 (debug) to 3 (warning).
	Log(level int, message string)
}

// Input is what a run works on.
type Input struct {
	Keys, Args []string
	Host       Host
	// Native makes numbers that are arguments of commands, and the errors of the run, what Redis makes of them. Otherwise they are
	// what the service makes of them over REST.
	Native bool
	// Name is the script's SHA-1 or the function's name: native errors end with it.
	Name string
}

// Run runs a script and appends its reply. On an error w is as it was; an Error is for
// the client, others come from the host or the context.
func (in *Interpreter) Run(ctx context.Context, p *Program, input Input, w *resp.Writer) error {
	r := in.newRun(ctx, input.Host)
	defer r.close()
	r.native, r.name = input.Native, input.Name
	r.meets(p.longest)
	r.globals.RawSetString("KEYS", r.stringTable(input.Keys))
	r.globals.RawSetString("ARGV", r.stringTable(input.Args))
	return r.reply(r.function(p.proto), nil, w)
}

// Call runs a function of a library and appends its reply; see Run.
func (in *Interpreter) Call(ctx context.Context, p *Program, name string, input Input, w *resp.Writer) error {
	r := in.newRun(ctx, input.Host)
	defer r.close()
	r.meets(p.longest)
	functions, err := r.load(p)
	if err != nil {
		return err
	}
	r.native, r.name = input.Native, input.Name
	for _, f := range functions {
		if f.Name == name {
			return r.reply(f.callback, []lua.LValue{r.stringTable(input.Keys), r.stringTable(input.Args)}, w)
		}
	}
	return Error("ERR Function not found")
}

// Functions runs a library's source and lists what it registers. Errors are of type Error,
// or the context's.
func (in *Interpreter) Functions(ctx context.Context, p *Program) ([]Function, error) {
	r := in.newRun(ctx, nil)
	defer r.close()
	return r.load(p)
}

func (r *run) stringTable(list []string) *lua.LTable {
	t := &lua.LTable{Metatable: lua.LNil}
	for i, s := range list {
		r.meets(len(s))
		t.RawSetInt(i+1, lua.LString(s))
	}
	return t
}
