package groups

import (
	"fmt"
	"testing"
)

// described are a plan's members with their partitions.
func described(p *Plan) string {
	text := ""
	for _, m := range p.members {
		text += m.Name
		for _, r := range m.Runs {
			text += fmt.Sprintf(" %d-%d", r.First, r.First+len(r.Places))
		}
		if m.Back != 0 {
			text += fmt.Sprintf(" until %d", m.Back)
		}
		text += "; "
	}
	return text
}

// In all rows, b has six partitions, and a joins. Of some of them b has messages that it may be busy with.
func TestPlansAskForPartitionsThatMembersAreBusyWith(t *testing.T) {
	const now = 1_000_000
	for _, row := range []struct {
		name string
		busy []int
		edit func(b *Candidate)
		want string
	}{
		{"with none", nil, nil, "a 0-3; b 3-6; "},
		{"with one that it keeps", []int{4}, nil, "a 0-3; b 3-6; "},
		{"with one in between", []int{1}, nil, "a 0-1 2-3; b 1-2 3-6 until 1030000; "},
		{"with all", []int{0, 1, 2, 3, 4, 5}, nil, "a 0-0; b 0-6 until 1030000; "},
		{"with all, and a short session", []int{0, 1, 2}, func(b *Candidate) { b.Member.Timeout = 10_000 }, "a 0-0; b 0-6 until 1010000; "},
		{"and was asked before", []int{0}, func(b *Candidate) { b.Member.Back = now + 7 }, "a 1-3; b 0-1 3-6 until 1000007; "},
		{"and was asked too long ago", []int{0}, func(b *Candidate) { b.Member.Back = now }, "a 0-3; b 3-6; "},
		{"and has expired", []int{0}, func(b *Candidate) { b.Member.Seen = now - 70_000 }, "a 0-6; "},
		{"and leaves", []int{0}, func(b *Candidate) { b.Quit = true }, "a 0-6; "},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := &Candidate{Name: "b", Fence: 1, Member: &Member{
				Name: "b", Incarnation: "1", Generation: 1, Options: Options{Timeout: 60_000}, Topics: []string{"red"}, Seen: now,
				Runs: []Run{{Topic: "red", ID: 1, Of: 6}},
			}}
			for range 6 {
				b.Member.Runs[0].Places = append(b.Member.Runs[0].Places, Place{Claim: 1, Position: 8, Segment: None, Confirmed: None, Committed: None, Start: None})
			}
			for _, n := range row.busy {
				b.Member.Runs[0].Places[n].Confirmed = 5
			}
			if row.edit != nil {
				row.edit(b)
			}
			a := &Candidate{Name: "a", Ask: &Ask{ID: "2", At: now, Options: Options{Timeout: 60_000}, Topics: []string{"red"}}}
			p := NewPlan([]*Candidate{a, b}, nil, now)
			p.Assign(map[string]Topic{"red": {1, 6}})
			if got := described(p); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}
