package jsondoc

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

const (
	maxPath    = 64 << 10 // bytes of a path
	maxNesting = 64       // filters and parentheses in each other
)

// Path is a parsed path.
type Path struct {
	Text   string // as it was written
	Legacy bool   // it means one value, the first match, rather than all of them

	segments []segment
}

// segment is a step of a path: what its selectors choose from a value's children, or, if it
// descends, from those of the value and all below it.
type segment struct {
	descend   bool
	selectors []selector
}

type selectorKind uint8

const (
	byName selectorKind = iota
	byIndex
	bySlice
	byWildcard
	byFilter
)

type selector struct {
	kind           selectorKind
	name           string
	index          int
	from, to, step int // of a slice; to is math.MaxInt if it is open
	filter         condition
}

// ErrPath is what errors of ParsePath wrap.
var ErrPath = errors.New("invalid path")

// Root reports whether the path is that of the whole document.
func (p *Path) Root() bool { return len(p.segments) == 0 }

// Static reports whether the path can match one value at most.
func (p *Path) Static() bool {
	for _, s := range p.segments {
		if s.descend || len(s.selectors) != 1 || s.selectors[0].kind > byIndex {
			return false
		}
	}
	return true
}

// Split divides a static path other than the root into its parent and the name that is
// its last step; not ok if that is an index.
func (p *Path) Split() (parent *Path, name string, ok bool) {
	last := len(p.segments) - 1
	sel := p.segments[last].selectors[0]
	return &Path{Text: p.Text, Legacy: p.Legacy, segments: p.segments[:last]}, sel.name, sel.kind == byName
}

// ParsePath reads a path, whose grammar the package comment describes.
func ParsePath(text string) (*Path, error) {
	if len(text) > maxPath {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrPath, len(text), maxPath)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrPath)
	}
	p := pathParser{s: text}
	path := &Path{Text: text}
	switch {
	case text == "$":
		return path, nil
	case text == ".":
		path.Legacy = true
		return path, nil
	case strings.HasPrefix(text, "$.") || strings.HasPrefix(text, "$["):
		p.i = 1
	default:
		path.Legacy = true
		if text == "" {
			p.expected("a path")
		} else if text[0] != '.' {
			path.segments = append(path.segments, segment{selectors: p.named()})
		}
	}
	path.segments = append(path.segments, p.segments()...)
	if p.err == nil && p.i < len(text) {
		p.expected("the end, '.' or '['")
	}
	if p.err != nil {
		return nil, p.err
	}
	return path, nil
}

// pathParser reads a path. Blanks may stand between all its parts. After an error,
// it is at the end.
type pathParser struct {
	s       string
	i       int
	nesting int
	err     error
}

func (p *pathParser) expected(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: error at position %d, expected %s", ErrPath, p.i, what)
	}
	p.i = len(p.s)
}

// at reports whether a text is next, behind blanks.
func (p *pathParser) at(text string) bool {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
	return strings.HasPrefix(p.s[p.i:], text)
}

func (p *pathParser) take(text string) bool {
	if !p.at(text) {
		return false
	}
	p.i += len(text)
	return true
}

func (p *pathParser) need(text string) {
	if !p.take(text) {
		p.expected("'" + text + "'")
	}
}

// segments reads as many segments as there are.
func (p *pathParser) segments() []segment {
	var segs []segment
	for p.err == nil {
		switch {
		case p.take(".."):
			segs = append(segs, segment{descend: true, selectors: p.named()})
		case p.take("."):
			segs = append(segs, segment{selectors: p.named()})
		case p.at("["):
			segs = append(segs, segment{selectors: p.bracketed()})
		default:
			return segs
		}
	}
	return segs
}

// named reads what may follow a dot: a name, a wildcard, or a bracket.
func (p *pathParser) named() []selector {
	if p.at("[") {
		return p.bracketed()
	}
	if p.take("*") {
		return []selector{{kind: byWildcard}}
	}
	return []selector{{kind: byName, name: p.name()}}
}

// nameEnd is the index behind the characters that a name without quotes may have.
func (p *pathParser) nameEnd() int {
	i := p.i
	for i < len(p.s) {
		c := p.s[i]
		if c < utf8.RuneSelf && !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_`~+#%$^/:", c) >= 0) {
			break
		}
		i++
	}
	return i
}

func (p *pathParser) name() string {
	p.at("")
	start, end := p.i, p.nameEnd()
	if start == end {
		p.expected("a name, '*' or '['")
		return ""
	}
	p.i = end
	return p.s[start:end]
}

// bracketed reads one selector or several in brackets.
func (p *pathParser) bracketed() []selector {
	p.need("[")
	sels := []selector{p.selector()}
	for p.err == nil && p.take(",") {
		sels = append(sels, p.selector())
	}
	p.need("]")
	return sels
}

func (p *pathParser) selector() selector {
	switch {
	case p.take("*"):
		return selector{kind: byWildcard}
	case p.take("?"):
		return selector{kind: byFilter, filter: p.either()}
	case p.at("'") || p.at(`"`):
		return selector{kind: byName, name: p.quoted()}
	}
	from, ok := p.integer()
	switch {
	case p.take(":"):
		return p.slice(from)
	case ok:
		return selector{kind: byIndex, index: from}
	}
	p.expected("a number, a string, '*', ':' or '?'")
	return selector{}
}

// slice reads on behind the first colon.
func (p *pathParser) slice(from int) selector {
	s := selector{kind: bySlice, from: from, to: math.MaxInt, step: 1}
	if to, ok := p.integer(); ok {
		s.to = to
	}
	if p.take(":") {
		if step, ok := p.integer(); ok {
			s.step = step
		}
	}
	if s.step < 1 {
		p.expected("a step of at least 1 before this")
	}
	return s
}

// integer reads an integer if there is one. One that is too large becomes the largest.
func (p *pathParser) integer() (int, bool) {
	negative := p.take("-")
	p.at("")
	n, start := 0, p.i
	for p.i < len(p.s) && '0' <= p.s[p.i] && p.s[p.i] <= '9' {
		if n = n*10 + int(p.s[p.i]-'0'); n > math.MaxInt32 {
			n = math.MaxInt32
		}
		p.i++
	}
	if p.i == start {
		if negative {
			p.expected("a digit")
		}
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// quoted reads a string in quotes of either kind, with the escapes of JSON.
func (p *pathParser) quoted() string {
	quote := p.s[p.i]
	p.i++
	var b []byte
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch c {
		case quote:
			return string(b)
		case '\\':
			if p.i < len(p.s) && p.s[p.i] == '\'' {
				b = append(b, '\'')
				p.i++
				continue
			}
			esc := parser{s: p.s, i: p.i}
			if b = esc.escape(b); esc.err != nil {
				p.expected("an escape")
				return ""
			}
			p.i = esc.i
		default:
			b = append(b, c)
		}
	}
	p.expected("a closing quote")
	return ""
}

// either reads conditions joined by ||.
func (p *pathParser) either() condition {
	if p.nesting++; p.nesting > maxNesting {
		p.expected("fewer filters in each other")
		return nil
	}
	defer func() { p.nesting-- }()
	conds := anyOf{p.both()}
	for p.err == nil && p.take("||") {
		conds = append(conds, p.both())
	}
	if len(conds) == 1 {
		return conds[0]
	}
	return conds
}

// both reads conditions joined by &&.
func (p *pathParser) both() condition {
	conds := allOf{p.condition()}
	for p.err == nil && p.take("&&") {
		conds = append(conds, p.condition())
	}
	if len(conds) == 1 {
		return conds[0]
	}
	return conds
}

func (p *pathParser) condition() condition {
	negated := false
	for !p.at("!=") && p.take("!") {
		negated = !negated
	}
	var c condition
	if p.take("(") {
		c = p.either()
		p.need(")")
	} else {
		c = p.comparison()
	}
	if negated {
		return not{c}
	}
	return c
}

// comparison reads an operand, or two with an operator.
func (p *pathParser) comparison() condition {
	left := p.operand()
	for _, op := range operators {
		if !p.take(op.symbol) {
			continue
		}
		c := comparison{op: op.op, left: left, right: p.operand()}
		if lit := c.right.literal; op.op == matches && lit != nil && lit.kind == String {
			c.pattern = compile(lit.text)
		}
		return &c
	}
	return exists{left}
}

// operand reads a path from the current value or the root, or a literal.
func (p *pathParser) operand() *operand {
	switch {
	case p.take("@"):
		return &operand{path: p.inner()}
	case p.take("$"):
		return &operand{path: p.inner(), fromRoot: true}
	case p.at("'") || p.at(`"`):
		lit := NewString(p.quoted())
		return &operand{literal: &lit}
	}
	start := p.i
	for p.i = p.nameEnd(); p.i < len(p.s) && p.s[p.i] == '.'; p.i = p.nameEnd() {
		p.i++
	}
	lit, err := Parse(p.s[start:p.i])
	if err != nil {
		p.i = start
		p.expected("'@', '$' or a literal")
	}
	return &operand{literal: &lit}
}

// inner reads the path of an operand. Its first name needs no dot.
func (p *pathParser) inner() []segment {
	var segs []segment
	if p.take("*") {
		segs = append(segs, segment{selectors: []selector{{kind: byWildcard}}})
	} else if p.nameEnd() > p.i {
		segs = append(segs, segment{selectors: []selector{{kind: byName, name: p.name()}}})
	}
	return append(segs, p.segments()...)
}

// maxPattern bounds a regular expression, in bytes.
const maxPattern = 4 << 10

// maxProgram is how many instructions a pattern may become: repetitions make many of few characters.
const maxProgram = 2_000

// compile returns nil for what is no regular expression; it matches nothing.
func compile(pattern string) *expression {
	if len(pattern) > maxPattern {
		return nil
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > maxProgram {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	return &expression{re, len(program.Inst)}
}

// expression is a regular expression. Matching it takes at most so many instructions for each byte.
type expression struct {
	*regexp.Regexp
	instructions int
}
