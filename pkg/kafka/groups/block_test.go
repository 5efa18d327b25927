package groups

import "testing"

func TestMovesAndCommitsMeetInTheBlock(t *testing.T) {
	a, b := Claim(3, "a"), Claim(5, "b")
	held := func(claim string, committed int64) *Block {
		return &Block{Floor: 4, Offsets: map[int]Offset{1: {Claim: claim, Committed: committed, Epoch: 7, Metadata: "note"}}}
	}
	for _, tt := range []struct {
		name       string
		block      *Block
		move       Move
		generation int64
		claim      string // afterwards; "-": the move is refused
		committed  int64
	}{
		{"what the owner has received is committed", held(a, 10), Move{1, a, 12, b}, 5, b, 12},
		{"but not if more is committed", held(a, 10), Move{1, a, 9, b}, 5, b, 10},
		{"an owner that wants nothing committed", held(a, 10), Move{1, a, None, b}, 5, b, 10},
		{"an owner that had nothing, and nothing is committed", &Block{}, Move{1, "", None, b}, 5, b, None},
		{"somebody who is not the owner any more", held(b, 10), Move{1, a, 12, b}, 5, b, 10},
		{"somebody who is not the owner leaves", held(b, 10), Move{1, a, 12, ""}, 5, b, 10},
		{"the owner leaves", held(a, 10), Move{1, a, 12, ""}, 5, "", 12},
		{"a leader of an older generation", held(a, 10), Move{1, a, 12, Claim(3, "c")}, 3, "-", 0},
	} {
		next, ok := tt.block.Move([]Move{tt.move}, tt.generation, 99)
		if !ok {
			if tt.claim != "-" {
				t.Errorf("%s: refused", tt.name)
			}
			continue
		}
		if o := next.At(1); o.Claim != tt.claim || o.Committed != tt.committed || next.Floor != tt.generation {
			t.Errorf("%s: %+v, floor %d", tt.name, o, next.Floor)
		}
		if before := tt.block.At(1); next.At(1).Metadata != before.Metadata || next.At(1).Epoch != before.Epoch {
			t.Errorf("%s: epoch and metadata are %+v", tt.name, next.At(1))
		}
	}
	for _, tt := range []struct {
		name       string
		block      *Block
		claim      string
		generation int64
		want       bool
	}{
		{"the owner", held(a, 0), a, 0, true},
		{"who was the owner", held(b, 0), a, 9, false},
		{"who was the owner, of what is nobody's now", held("", 0), a, 9, false},
		{"a member, of what is nobody's", held("", 0), "", 4, true},
		{"a member of an older generation, of what is nobody's", held("", 0), "", 3, false},
		{"a member, of what is another's", held(b, 0), "", 9, false},
		{"anybody, where nobody ever was", &Block{}, "", 0, true},
	} {
		if got := tt.block.MayCommit(1, tt.claim, tt.generation); got != tt.want {
			t.Errorf("%s: may commit %v", tt.name, got)
		}
	}
}
