package groups

import (
	"reflect"
	"testing"
)

func TestRangesCoverAllPartitions(t *testing.T) {
	for partitions := 1; partitions < 20; partitions++ {
		for n := 1; n < 8; n++ {
			next := 0
			for i := range n {
				from, to := Range(partitions, i, n)
				if from != next || to-from > partitions/n+1 || to-from < partitions/n {
					t.Fatalf("%d partitions, instance %d of %d: %d to %d", partitions, i, n, from, to)
				}
				next = to
			}
			if next != partitions {
				t.Fatalf("%d partitions, %d instances: %d are assigned", partitions, n, next)
			}
		}
	}
}

func TestMembersAreReadAsTheyWereWritten(t *testing.T) {
	for name, m := range map[string]*Member{
		"empty": {},
		"full": {
			Generation: 7, Options: Options{Auto: true, Interval: 5000, Reset: ResetLatest, Timeout: 120000},
			Topics: []string{"blue", "red"}, Seen: 4_000_000_000_000, CommitTime: 3_999_999_999_999, Look: 4_000_000_030_000,
			Lost: []Part{{"blue", 3}},
			Runs: []Run{
				{Topic: "blue", ID: 12, First: 3, Of: 9},
				{Topic: "red", ID: 1 << 40, First: 0, Of: 9, Places: []Place{
					{Claim: 7, Position: None, Segment: UnknownSegment, Confirmed: None, Committed: 5, Start: 5, New: true},
					{Claim: 2, Position: 1 << 50, Segment: 1<<50 - 3, Confirmed: 1<<50 - 7, Committed: None, Start: None},
					{Claim: 6, Position: 0, Segment: UnknownSegment, Confirmed: None, Committed: 12, Start: None},
				}},
			},
		},
	} {
		got, err := DecodeMember(m.Encode())
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, m)
		}
		text := m.Encode()
		for i := range text {
			if _, err := DecodeMember(text[:i]); err == nil {
				t.Errorf("%s: %d bytes of %d can be read", name, i, len(text))
			}
		}
	}
}

func FuzzDecodeMember(f *testing.F) {
	f.Add((&Member{Topics: []string{"red"}, Runs: []Run{{Topic: "red", Places: make([]Place, 3)}}}).Encode())
	f.Fuzz(func(t *testing.T, text string) {
		m, err := DecodeMember(text)
		if err != nil {
			return
		}
		again, err := DecodeMember(m.Encode())
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v is read as %+v, %v", m, again, err)
		}
	})
}
