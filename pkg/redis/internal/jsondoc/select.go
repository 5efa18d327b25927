package jsondoc

import (
	"errors"
	"math"
)

const (
	maxSteps   = 1 << 26 // values looked at for one path
	maxMatches = 1 << 20 // of one path
	lookEvery  = 1 << 12 // values between two looks at the budget
	stepWork   = 25      // of a value looked at
)

// ErrTooMany says that evaluating a path takes too much time or memory.
var ErrTooMany = errors.New("path matches too much")

// Budget counts work, in units of about a nanosecond. An error of Spend ends an evaluation, which returns it.
type Budget interface{ Spend(units int64) error }

// Match is a value that a path has matched, in its place in the document.
type Match struct {
	Value *Value
	Depth int // containers that it lies in
}

// Select returns all matches of the path in a document, in the order that the package
// comment describes. A value that matches in several ways comes as often.
//
// b counts the work, unless it is nil.
func (p *Path) Select(root *Value, b Budget) ([]Match, error) {
	var matches []Match
	e := evaluation{root: root, budget: b}
	e.walk(p.segments, root, 0, func(v *Value, depth int) bool {
		if len(matches) == maxMatches {
			e.err = ErrTooMany
			return false
		}
		matches = append(matches, Match{v, depth})
		return true
	})
	e.spend()
	return matches, e.err
}

// First returns the first match, nil if there is none. b is as in Select.
func (p *Path) First(root *Value, b Budget) (*Value, error) {
	var first *Value
	e := evaluation{root: root, budget: b}
	e.walk(p.segments, root, 0, func(v *Value, _ int) bool {
		first = v
		return false
	})
	e.spend()
	return first, e.err
}

// SelectDistinct returns every value that matches once, each after all below it that
// match: so they can be changed one after the other. b is as in Select.
func (p *Path) SelectDistinct(root *Value, b Budget) ([]Match, error) {
	matches, err := p.Select(root, b)
	if len(matches) < 2 || err != nil {
		return matches, err
	}
	seen := make(map[*Value]bool, len(matches))
	distinct := matches[:0]
	for _, m := range matches {
		if !seen[m.Value] {
			seen[m.Value] = true
			distinct = append(distinct, m)
		}
	}
	return distinct, nil
}

// evaluation is one use of a path on a document that does not change meanwhile.
type evaluation struct {
	root     *Value
	budget   Budget // may be nil
	steps    int
	counted  int // steps that the budget knows of
	err      error
	roots    map[*operand]*Value    // what operands that start at the root have matched
	patterns map[string]*expression // those that stood in the document
}

// step counts steps, and reports whether the evaluation may go on.
func (e *evaluation) step(n int) bool {
	if e.steps += n; e.steps > maxSteps && e.err == nil {
		e.err = ErrTooMany
	}
	if e.steps-e.counted >= lookEvery {
		e.spend()
	}
	return e.err == nil
}

// spend counts steps towards the budget.
func (e *evaluation) spend() {
	if e.budget == nil || e.err != nil {
		return
	}
	n := e.steps - e.counted
	e.counted = e.steps
	e.err = e.budget.Spend(int64(n) * stepWork)
}

// walk calls emit with all that segments match from a value on, until it returns
// false; then walk does so too.
func (e *evaluation) walk(segs []segment, v *Value, depth int, emit func(*Value, int) bool) bool {
	if !e.step(1) {
		return false
	}
	if len(segs) == 0 {
		return emit(v, depth)
	}
	if segs[0].descend {
		children := v.Elements()
		if !e.step(len(children) / 8) { // those that are no containers are passed over
			return false
		}
		for i := range children {
			if children[i].sub != nil && !e.walk(segs, &children[i], depth+1, emit) {
				return false
			}
		}
	}
	for i := range segs[0].selectors {
		if !e.choose(&segs[0].selectors[i], segs[1:], v, depth, emit) {
			return false
		}
	}
	return true
}

// choose walks on from the children that a selector chooses.
func (e *evaluation) choose(s *selector, rest []segment, v *Value, depth int, emit func(*Value, int) bool) bool {
	children := v.Elements()
	switch s.kind {
	case byName:
		if m := v.Member(s.name); m != nil {
			return e.walk(rest, m, depth+1, emit)
		}
	case byIndex:
		i := s.index
		if i < 0 {
			i += len(children)
		}
		if v.kind == Array && 0 <= i && i < len(children) {
			return e.walk(rest, &children[i], depth+1, emit)
		}
	case bySlice:
		if v.kind != Array {
			return true
		}
		from, to := bound(s.from, len(children)), bound(s.to, len(children))
		for i := from; i < to; i += s.step {
			if !e.walk(rest, &children[i], depth+1, emit) {
				return false
			}
		}
	case byWildcard:
		for i := range children {
			if !e.walk(rest, &children[i], depth+1, emit) {
				return false
			}
		}
	case byFilter:
		if v.sub == nil {
			return !s.filter.holds(e, v) || e.walk(rest, v, depth, emit)
		}
		for i := range children {
			if s.filter.holds(e, &children[i]) && !e.walk(rest, &children[i], depth+1, emit) {
				return false
			}
		}
	}
	return e.err == nil
}

// bound is a slice's bound as an index within n elements or behind them.
func bound(i, n int) int {
	if i == math.MaxInt {
		return n
	}
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}
