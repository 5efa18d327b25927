package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A template is a command with choices:
//
//	WORD      the word itself
//	{name}    a random value of that kind, see values_test.go
//	[a|b]     nothing, or one of the alternatives
//	(a|b)     one of the alternatives
//	x+        once to five times (after a hole or a group)
//
// Elements are separated by blanks; an alternative is a sequence of elements.
type node struct {
	word   string
	hole   string
	alts   [][]node
	option bool
	repeat bool
}

func parseTemplate(s string, holes map[string]hole) ([]node, error) {
	p := &templateParser{rest: s, holes: holes}
	alts, err := p.alternatives()
	if err != nil {
		return nil, fmt.Errorf("template %q: %w", s, err)
	}
	if p.rest != "" || len(alts) != 1 {
		return nil, fmt.Errorf("template %q: unexpected %q", s, p.rest)
	}
	return alts[0], nil
}

type templateParser struct {
	rest  string
	holes map[string]hole
}

// alternatives reads up to the end or an unmatched closing bracket.
func (p *templateParser) alternatives() ([][]node, error) {
	alts := [][]node{nil}
	for {
		p.rest = strings.TrimLeft(p.rest, " ")
		if p.rest == "" || p.rest[0] == ']' || p.rest[0] == ')' {
			return alts, nil
		}
		if p.rest[0] == '|' {
			p.rest = p.rest[1:]
			alts = append(alts, nil)
			continue
		}
		n, err := p.element()
		if err != nil {
			return nil, err
		}
		alts[len(alts)-1] = append(alts[len(alts)-1], n)
	}
}

func (p *templateParser) element() (node, error) {
	var n node
	switch open := p.rest[0]; open {
	case '{':
		name, rest, ok := strings.Cut(p.rest[1:], "}")
		if !ok || p.holes[name] == nil {
			return n, fmt.Errorf("no hole %q", name)
		}
		n.hole, p.rest = name, rest
	case '[', '(':
		p.rest = p.rest[1:]
		alts, err := p.alternatives()
		if err != nil {
			return n, err
		}
		closing := byte(']')
		if open == '(' {
			closing = ')'
		}
		if p.rest == "" || p.rest[0] != closing {
			return n, fmt.Errorf("%c not closed", open)
		}
		n.alts, n.option, p.rest = alts, open == '[', p.rest[1:]
	default:
		end := strings.IndexAny(p.rest, " |[](){}")
		if end < 0 {
			end = len(p.rest)
		}
		n.word, p.rest = p.rest[:end], p.rest[end:]
		return n, nil
	}
	if strings.HasPrefix(p.rest, "+") {
		n.repeat, p.rest = true, p.rest[1:]
	}
	return n, nil
}

// gen draws commands. Everything it draws comes from one seed.
type gen struct {
	*rand.Rand
	holes map[string]hole
	wide  bool // big collections, so that the spread encoding is met
}

func newGen(seed uint64, wide bool) *gen {
	return &gen{Rand: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), holes: newHoles(), wide: wide}
}

func (g *gen) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *gen, from ...T) T { return from[g.IntN(len(from))] }

// expand appends the words of a sequence.
func (g *gen) expand(out []string, seq []node) []string {
	for _, n := range seq {
		if n.option && !g.chance(35) {
			continue
		}
		times := 1
		if n.repeat {
			times += g.IntN(3)
			if g.chance(10) {
				times += 2
			}
			if g.wide && g.chance(8) {
				times += 30
			}
		}
		for range times {
			switch {
			case n.word != "":
				out = append(out, n.word)
			case n.hole != "":
				out = append(out, g.holes[n.hole](g)...)
			default:
				out = g.expand(out, pick(g, n.alts...))
			}
		}
	}
	return out
}

// garbage replaces arguments of commands that are broken on purpose. Numbers are
// of a size that no command can use for reserving memory.
var garbage = []string{
	"", " ", "abc", "-1", "0", "1", "-0", "01", "+1", "1.5", "1e3", "nan", "inf", "-inf", "(1", "[a", "NX", "COUNT", "LIMIT",
	"GET", "WITHSCORES", "9223372036854775807", "9223372036854775808", "18446744073709551616", "0x10", "1 ", " 1", "\x00", "\xff\xfe",
}

// spoil breaks a command.
func (g *gen) spoil(args []string) []string {
	args = append([]string(nil), args...)
	i := 1
	if len(args) > 1 {
		i = 1 + g.IntN(len(args)-1)
	}
	switch g.IntN(7) {
	case 0:
		return args[:len(args)-g.IntN(len(args))]
	case 1:
		return append(args, pick(g, garbage...))
	case 2:
		if i < len(args) {
			return append(args[:i], args[i+1:]...)
		}
	case 3:
		if i < len(args) {
			j := 1 + g.IntN(len(args)-1)
			args[i], args[j] = args[j], args[i]
		}
	case 4:
		if i < len(args) {
			return append(args[:i+1], args[i:]...)
		}
	default:
		if i < len(args) {
			args[i] = pick(g, garbage...)
		}
	}
	return args
}

// recase changes the case of the command's name.
func (g *gen) recase(args []string) {
	switch g.IntN(6) {
	case 0:
		args[0] = strings.ToLower(args[0])
	case 1:
		args[0] = strings.ToUpper(args[0][:1]) + strings.ToLower(args[0][1:])
	}
}
