package qstash

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// expression computes the delay before a retry, in milliseconds, from the number
// of retries that have been made.
type expression func(retried float64) float64

// Bounds of an expression, which a publisher chooses.
const (
	maxExpression = 1024 // bytes
	maxNesting    = 64
)

// parseExpression reads numbers, the variable "retried", the operators + - * / %,
// parentheses, and calls of the functions below.
func parseExpression(text string) (expression, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("longer than %d bytes", maxExpression)
	}
	p := &expressionParser{text: text}
	f, err := p.sum()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos < len(p.text) {
		return nil, fmt.Errorf("unexpected %q at position %d", p.text[p.pos], p.pos)
	}
	return f, nil
}

var unaryFunctions = map[string]func(float64) float64{
	"sqrt": math.Sqrt, "abs": math.Abs, "exp": math.Exp, "floor": math.Floor, "ceil": math.Ceil, "round": math.Round,
}

var binaryFunctions = map[string]func(a, b float64) float64{"pow": math.Pow, "min": math.Min, "max": math.Max}

type expressionParser struct {
	text  string
	pos   int
	depth int
}

func (p *expressionParser) skip() {
	for p.pos < len(p.text) && strings.IndexByte(" \t", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// next consumes one of the characters, if it is next.
func (p *expressionParser) next(chars string) (byte, bool) {
	p.skip()
	if p.pos < len(p.text) && strings.IndexByte(chars, p.text[p.pos]) >= 0 {
		p.pos++
		return p.text[p.pos-1], true
	}
	return 0, false
}

func (p *expressionParser) sum() (expression, error) {
	return p.chain("+-", p.product)
}

func (p *expressionParser) product() (expression, error) {
	return p.chain("*/%", p.factor)
}

// chain reads operands joined by operators of one precedence, left to right.
func (p *expressionParser) chain(operators string, operand func() (expression, error)) (expression, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	for {
		op, ok := p.next(operators)
		if !ok {
			return left, nil
		}
		right, err := operand()
		if err != nil {
			return nil, err
		}
		left = operate(op, left, right)
	}
}

func operate(op byte, a, b expression) expression {
	switch op {
	case '+':
		return func(r float64) float64 { return a(r) + b(r) }
	case '-':
		return func(r float64) float64 { return a(r) - b(r) }
	case '*':
		return func(r float64) float64 { return a(r) * b(r) }
	case '/':
		return func(r float64) float64 { return a(r) / b(r) }
	}
	return func(r float64) float64 { return math.Mod(a(r), b(r)) }
}

func (p *expressionParser) factor() (expression, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, errors.New("nested too deeply")
	}
	defer func() { p.depth-- }()
	if op, ok := p.next("+-"); ok {
		f, err := p.factor()
		if err != nil || op == '+' {
			return f, err
		}
		return func(r float64) float64 { return -f(r) }, nil
	}
	if _, ok := p.next("("); ok {
		f, err := p.sum()
		if err != nil {
			return nil, err
		}
		return f, p.expect(")")
	}
	start := p.pos
	for p.pos < len(p.text) && isWordByte(p.text[p.pos]) {
		p.pos++
	}
	word := p.text[start:p.pos]
	switch {
	case word == "" && p.pos == len(p.text):
		return nil, errors.New("unexpected end")
	case word == "":
		return nil, fmt.Errorf("unexpected %q at position %d", p.text[p.pos], p.pos)
	case word == "retried":
		return func(r float64) float64 { return r }, nil
	case word[0] >= 'a' && word[0] <= 'z':
		return p.call(word)
	}
	n, err := strconv.ParseFloat(word, 64)
	if err != nil || word[0] >= 'A' || strings.ContainsAny(word, "xXpP_") {
		return nil, fmt.Errorf("invalid number %q", word)
	}
	return func(float64) float64 { return n }, nil
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_'
}

// call reads the arguments of a function.
func (p *expressionParser) call(name string) (expression, error) {
	one, two := unaryFunctions[name], binaryFunctions[name]
	if one == nil && two == nil {
		return nil, fmt.Errorf("unknown name %q", name)
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	if one != nil {
		return func(r float64) float64 { return one(a(r)) }, p.expect(")")
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	b, err := p.sum()
	if err != nil {
		return nil, err
	}
	return func(r float64) float64 { return two(a(r), b(r)) }, p.expect(")")
}

func (p *expressionParser) expect(char string) error {
	if _, ok := p.next(char); !ok {
		return fmt.Errorf("missing %q at position %d", char, p.pos)
	}
	return nil
}
