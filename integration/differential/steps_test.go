package differential

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

type stepKind uint8

const (
	stepOne      stepKind = iota // one command
	stepPipeline                 // several, one after the other, in one request
	stepMulti                    // several as a transaction
	stepState                    // no command: compare all keys
)

// step is one thing to do on both sides.
type step struct {
	kind stepKind
	cmds [][]string
	cmps []comparer
}

func (s step) String() string {
	var b strings.Builder
	switch s.kind {
	case stepState:
		return "(compare all keys)"
	case stepMulti:
		b.WriteString("MULTI")
	case stepPipeline:
		b.WriteString("PIPELINE")
	default:
		return quoteArgs(s.cmds[0])
	}
	for _, c := range s.cmds {
		b.WriteString("\n         " + quoteArgs(c))
	}
	return b.String()
}

// name groups differences: the command that is to blame, as far as one can say.
func (s step) name() string {
	if s.kind == stepOne {
		return strings.ToUpper(s.cmds[0][0])
	}
	return [...]string{stepPipeline: "PIPELINE", stepMulti: "MULTI", stepState: "STATE"}[s.kind]
}

// run carries the step out and returns what is different, if anything.
func (s step) run(p pair) (string, error) {
	switch s.kind {
	case stepState:
		return stateDiff(p)
	case stepOne:
		return s.cmps[0].check(p, s.cmds[0])
	}
	if s.kind == stepMulti {
		want, err := p.redis.multi(s.cmds)
		if err != nil {
			return "", err
		}
		got, err := p.ours.multi(s.cmds)
		if err != nil {
			return "", err
		}
		if want.kind != '*' || got.kind != '*' {
			// Refused as a whole. The refusal is that of one command; its name is of no interest.
			return comparer{}.judge(s.cmds[0], want, got), nil
		}
		return s.judgeAll(want.elems, got.elems), nil
	}
	want, err := p.redis.pipeline(s.cmds)
	if err != nil {
		return "", err
	}
	got, err := p.ours.pipeline(s.cmds)
	if err != nil {
		return "", err
	}
	return s.judgeAll(want, got), nil
}

func (s step) judgeAll(want, got []reply) string {
	if len(want) != len(got) {
		return fmt.Sprintf("redis: %d replies\n      ours:  %d", len(want), len(got))
	}
	for i := range want {
		if d := s.cmps[i].judge(s.cmds[i], want[i], got[i]); d != "" {
			return fmt.Sprintf("command %d, %s\n      %s", i+1, quoteArgs(s.cmds[i]), d)
		}
	}
	return ""
}

// parsed is a family ready to draw from.
type parsed struct {
	name  string
	seqs  [][]node
	rows  []row
	lots  []int // indexes into rows, each as often as its weight says
	plain []int // the same without rows that have a comparer of their own
}

func parseFamilies(t testing.TB) []parsed {
	t.Helper()
	known := newHoles()
	var out []parsed
	for _, f := range families {
		p := parsed{name: f.name, rows: f.rows}
		for i, r := range f.rows {
			seq, err := parseTemplate(r.template, known)
			if err != nil {
				t.Fatal(err)
			}
			p.seqs = append(p.seqs, seq)
			if r.weight == 0 {
				r.weight = 3
			}
			for range r.weight {
				p.lots = append(p.lots, i)
				if r.compare.run == nil && !strings.HasPrefix(r.template, "FLUSH") {
					p.plain = append(p.plain, i)
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// drawSteps makes n steps, most of them of one family.
func drawSteps(g *gen, all []parsed, home parsed, n int) []step {
	var steps []step
	if g.wide {
		// The first row of a family of collections is the one that adds to them.
		for range 3 {
			cmd := g.expand(nil, home.seqs[0])
			for len(cmd) < 250 && len(cmd) > 2 && home.rows[0].weight > 8 {
				more := g.expand(nil, home.seqs[0])
				cmd = append(cmd, more[2:]...)
			}
			steps = append(steps, step{cmds: [][]string{cmd}, cmps: []comparer{home.rows[0].compare}})
		}
	}
	draw := func(plain bool) ([]string, comparer) {
		f := home
		switch p := g.IntN(100); {
		case p < 5:
			f = all[g.IntN(len(all))]
		case p < 8: // else keys would keep types that the family can do nothing with
			return append([]string{"DEL"}, g.holes[home.seqs[0][1].hole](g)...), comparer{}
		}
		lots := f.lots
		if plain {
			lots = f.plain
		}
		i := lots[g.IntN(len(lots))]
		for {
			cmd := g.expand(nil, f.seqs[i])
			if g.chance(8) {
				cmd = g.spoil(cmd)
			}
			if !unsafe(cmd) && !(plain && otherArity(cmd)) {
				g.recase(cmd)
				return cmd, f.rows[i].compare
			}
		}
	}
	for len(steps) < n {
		s := step{}
		count := 1
		switch p := g.IntN(100); {
		case p < 3:
			s.kind, count = stepMulti, 1+g.IntN(6)
		case p < 6:
			s.kind, count = stepPipeline, 1+g.IntN(6)
		}
		for range count {
			cmd, cmp := draw(s.kind != stepOne)
			s.cmds, s.cmps = append(s.cmds, cmd), append(s.cmps, cmp)
		}
		steps = append(steps, s)
		if len(steps)%100 == 0 {
			steps = append(steps, step{kind: stepState})
		}
	}
	return append(steps, step{kind: stepState})
}

// unsafe reports whether a command may block for long, set an expiry that comes
// up during the test, which the two sides would reach at different commands, or
// give the sorted sets for BYLEX, whose results are undefined then, several scores.
func unsafe(args []string) bool {
	soon := func(s string) bool {
		n, err := strconv.ParseInt(s, 10, 64)
		return err == nil && n > 0 && n < 100_000
	}
	switch strings.ToUpper(args[0]) {
	case "ZADD":
		for i := 2; i < len(args); i += 2 {
			if strings.HasPrefix(args[1], "lex") && args[i] != "0" {
				return true
			}
		}
	case "EXPIRE", "PEXPIRE", "SETEX", "PSETEX", "RESTORE":
		return len(args) > 2 && soon(args[2])
	case "SET", "GETEX":
		for i := 2; i+1 < len(args); i++ {
			if o := strings.ToUpper(args[i]); (o == "EX" || o == "PX") && soon(args[i+1]) {
				return true
			}
		}
	case "XREAD", "XREADGROUP":
		for i := range args[1:] {
			if n, err := strconv.ParseInt(args[i+1], 10, 64); err == nil && strings.EqualFold(args[i], "BLOCK") && (n == 0 || n > 2) {
				return true
			}
		}
	case "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP":
		for _, a := range []string{args[len(args)-1], args[min(1, len(args)-1)]} {
			if f, err := strconv.ParseFloat(a, 64); err == nil && (f >= 0 && f < 0.0005 || f > 0.002) {
				return true
			}
		}
	}
	return false
}

// oursFailed is a failure of the subject, as opposed to one of the real Redis.
type oursFailed struct{ err error }

func (e *oursFailed) Error() string { return "ours fails: " + e.err.Error() }

// failing marks the failures of a subject.
type failing struct{ subject }

func (f failing) do(args ...string) (reply, error) {
	r, err := f.subject.do(args...)
	return r, mark(err)
}

func (f failing) pipeline(cmds [][]string) ([]reply, error) {
	rs, err := f.subject.pipeline(cmds)
	return rs, mark(err)
}

func (f failing) multi(cmds [][]string) (reply, error) {
	r, err := f.subject.multi(cmds)
	return r, mark(err)
}

func mark(err error) error {
	if err == nil {
		return nil
	}
	return &oursFailed{err}
}

// runSteps starts anew and runs steps until one differs; it returns that one's
// index, or -1. A failure of ours is a difference, one of the real Redis an error.
func runSteps(p pair, steps []step) (int, string, error) {
	if err := p.redis.reset(); err != nil {
		return -1, "", err
	}
	if err := p.ours.reset(); err != nil {
		return -1, "", err
	}
	for i, s := range steps {
		d, err := s.run(p)
		var ours *oursFailed
		if errors.As(err, &ours) {
			d, err = ours.Error(), nil
		}
		if d != "" || err != nil {
			return i, d, err
		}
	}
	return -1, "", nil
}

// shrink leaves out steps that a difference at the last one does not need. The
// budget is the number of steps that it may run.
func shrink(p pair, steps []step, budget int) ([]step, error) {
	for size := len(steps) / 2; size > 0; {
		removed := false
		for at := 0; at+size < len(steps); {
			budget -= len(steps)
			if budget < 0 {
				return steps, nil
			}
			fewer := append(append([]step(nil), steps[:at]...), steps[at+size:]...)
			i, _, err := runSteps(p, fewer)
			switch {
			case err != nil:
				return steps, err
			case i == len(fewer)-1:
				steps, removed = fewer, true
			default:
				at += size
			}
		}
		if !removed || size > len(steps)/2 {
			size /= 2
		}
	}
	return steps, nil
}
