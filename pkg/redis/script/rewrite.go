package script

import (
	"math"
	"strconv"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// Some of what Lua does in single instructions must be done otherwise here, or be
// bounded. So the syntax tree is changed before it is compiled: the operation
// becomes a call of one of our functions. These are no names that a script could know
// or replace; they take the place of marked string constants in the compiled program.
//
//	a .. b .. c         numbers print as in Lua; the result's size is bounded
//	for i = a, b, c     strings that say numbers are taken for them
//	t[k] = v            a table that would become huge is refused
//	{}                  what a table takes is counted
//	numbers             are read by parseNumber
const (
	markConcat = "\x00concat\x00"
	markStart  = "\x00start\x00"
	markLimit  = "\x00limit\x00"
	markStep   = "\x00step\x00"
	markKey    = "\x00key\x00"
	markTable  = "\x00table\x00"

	hiddenLocal = "\x00object" // begins the names of local variables that are ours
)

const (
	maxSyntaxDepth = 5000 // nesting of expressions and blocks
	maxOperands    = 50   // of one concatenation
)

// rewriter changes a syntax tree.
type rewriter struct {
	depth  int
	line   int
	failed bool // nested too deep
	marked bool // the source has a string that looks like a mark
}

func (r *rewriter) stmts(list []ast.Stmt) {
	for i, s := range list {
		r.stmt(s)
		if assign, ok := s.(*ast.AssignStmt); ok {
			list[i] = guardedAssign(assign)
		}
	}
}

func (r *rewriter) enter(at ast.PositionHolder) bool {
	if r.depth++; r.depth > maxSyntaxDepth {
		if !r.failed {
			r.failed, r.line = true, at.Line()
		}
		return false
	}
	return !r.failed
}

func (r *rewriter) stmt(s ast.Stmt) {
	defer func() { r.depth-- }()
	if !r.enter(s) {
		return
	}
	switch s := s.(type) {
	case *ast.AssignStmt:
		for i := range s.Lhs {
			r.target(s.Lhs[i])
		}
		r.exprs(s.Rhs)
	case *ast.LocalAssignStmt:
		r.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = r.expr(s.Expr)
	case *ast.DoBlockStmt:
		r.stmts(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = r.expr(s.Condition)
		r.stmts(s.Stmts)
	case *ast.RepeatStmt:
		s.Condition = r.expr(s.Condition)
		r.stmts(s.Stmts)
	case *ast.IfStmt:
		s.Condition = r.expr(s.Condition)
		r.stmts(s.Then)
		r.stmts(s.Else)
	case *ast.NumberForStmt:
		s.Init = r.bound(s.Init, markStart)
		s.Limit = r.bound(s.Limit, markLimit)
		if s.Step != nil {
			s.Step = r.bound(s.Step, markStep)
		}
		r.stmts(s.Stmts)
	case *ast.GenericForStmt:
		r.exprs(s.Exprs)
		r.stmts(s.Stmts)
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			s.Name.Func = r.expr(s.Name.Func)
		}
		if s.Name.Receiver != nil {
			s.Name.Receiver = r.expr(s.Name.Receiver)
		}
		r.stmts(s.Func.Stmts)
	case *ast.ReturnStmt:
		r.exprs(s.Exprs)
	}
}

func (r *rewriter) exprs(list []ast.Expr) {
	for i := range list {
		list[i] = r.expr(list[i])
	}
}

// target is what a value is assigned to.
func (r *rewriter) target(e ast.Expr) {
	if get, ok := e.(*ast.AttrGetExpr); ok {
		get.Object = r.expr(get.Object)
		get.Key = r.expr(get.Key)
	}
}

// guardedAssign checks the keys that are assigned to. That takes the table too, so a table that is no variable
// becomes one:
//
//	a.b[k] = v    do local object = a.b; object[k] = v end
func guardedAssign(s *ast.AssignStmt) ast.Stmt {
	local := &ast.LocalAssignStmt{}
	for i := range s.Lhs {
		get, ok := s.Lhs[i].(*ast.AttrGetExpr)
		if !ok || !guards(get.Key) || isNext(get.Object, get.Key) {
			continue
		}
		object, ok := get.Object.(*ast.IdentExpr)
		if !ok {
			object = &ast.IdentExpr{Value: hiddenLocal + strconv.Itoa(i)}
			place(object, get.Object)
			one(get.Object)
			local.Names, local.Exprs = append(local.Names, object.Value), append(local.Exprs, get.Object)
			get.Object = object
		}
		get.Key = call(markKey, get.Key, object, get.Key)
	}
	if len(local.Names) == 0 {
		return s
	}
	block := &ast.DoBlockStmt{Stmts: []ast.Stmt{local, s}}
	place(local, s)
	place(block, s)
	return block
}

// place gives a node of ours the lines of another one.
func place(node, at ast.PositionHolder) {
	node.SetLine(at.Line())
	node.SetLastLine(at.LastLine())
}

// isNext reports whether a key is the one behind a table's last, t[#t+1].
func isNext(object, key ast.Expr) bool {
	sum, ok := key.(*ast.ArithmeticOpExpr)
	if !ok || sum.Operator != "+" {
		return false
	}
	one, ok1 := sum.Rhs.(*ast.NumberExpr)
	length, ok2 := sum.Lhs.(*ast.UnaryLenOpExpr)
	if !ok1 || !ok2 || one.Value != "1" {
		return false
	}
	of, ok1 := length.Expr.(*ast.IdentExpr)
	table, ok2 := object.(*ast.IdentExpr)
	return ok1 && ok2 && of.Value == table.Value
}

// guards reports whether a key may be a number that makes a table large.
func guards(key ast.Expr) bool {
	switch k := key.(type) {
	case *ast.StringExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr:
		return false
	case *ast.NumberExpr:
		f, ok := parseNumber(k.Value)
		return !ok || f >= 1024
	}
	return true
}

// bound is a numeric loop's start, limit or step.
func (r *rewriter) bound(e ast.Expr, mark string) ast.Expr {
	e = r.expr(e)
	switch e.(type) {
	case *ast.NumberExpr, *ast.UnaryLenOpExpr:
		return e
	}
	return call(mark, e, e)
}

// call is a call of a marked function that has one result.
func call(mark string, at ast.Expr, args ...ast.Expr) *ast.FuncCallExpr {
	one(args[len(args)-1])
	name := &ast.StringExpr{Value: mark}
	c := &ast.FuncCallExpr{Func: name, Args: args, AdjustRet: true}
	place(name, at)
	place(c, at)
	return c
}

// one makes an expression have one value, also where it is the last of a list.
func one(e ast.Expr) {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
}

func (r *rewriter) expr(e ast.Expr) ast.Expr {
	defer func() { r.depth-- }()
	if !r.enter(e) {
		return e
	}
	switch e := e.(type) {
	case *ast.NumberExpr:
		if f, ok := parseNumber(e.Value); ok {
			e.Value = literal(f)
		}
	case *ast.StringExpr:
		switch e.Value {
		case markConcat, markStart, markLimit, markStep, markKey, markTable:
			r.marked = true
		}
	case *ast.AttrGetExpr:
		e.Object, e.Key = r.expr(e.Object), r.expr(e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if f.Key != nil {
				if f.Key = r.expr(f.Key); guards(f.Key) {
					f.Key = call(markKey, f.Key, &ast.NilExpr{}, f.Key)
				}
			}
			f.Value = r.expr(f.Value)
		}
		return call(markTable, e, e)
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = r.expr(e.Func)
		}
		if e.Receiver != nil {
			e.Receiver = r.expr(e.Receiver)
		}
		r.exprs(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.FunctionExpr:
		r.stmts(e.Stmts)
	case *ast.StringConcatOpExpr:
		return r.concat(e)
	}
	return e
}

// concat turns a chain of concatenations into calls.
func (r *rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	var operands []ast.Expr
	var rest ast.Expr = e
	for {
		next, ok := rest.(*ast.StringConcatOpExpr)
		if !ok {
			operands = append(operands, r.expr(rest))
			break
		}
		operands = append(operands, r.expr(next.Lhs))
		rest = next.Rhs
	}
	for len(operands) > maxOperands {
		// From the right, as the operator binds.
		k := len(operands) - maxOperands
		tail := call(markConcat, operands[k], operands[k:]...)
		operands = append(operands[:k:k], tail)
	}
	return call(markConcat, e, operands...)
}

// literal writes a number so that gopher-lua reads the same one.
func literal(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// link puts functions where a compiled program has marks.
func link(proto *lua.FunctionProto, functions map[string]*lua.LFunction) {
	for i, c := range proto.Constants {
		if s, ok := c.(lua.LString); ok {
			if fn := functions[string(s)]; fn != nil {
				proto.Constants[i] = fn
			}
		}
	}
	for _, p := range proto.FunctionPrototypes {
		link(p, functions)
	}
}
