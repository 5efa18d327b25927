package groups

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func classicMember(id string, protocols ...string) *ClassicMember {
	m := &ClassicMember{ID: id, Type: "consumer", Session: 10_000, Rebalance: 60_000}
	for _, p := range protocols {
		m.Protocols = append(m.Protocols, Protocol{p, "metadata of " + p})
	}
	return m
}

func TestTheProtocolThatMostLikeBestIsChosen(t *testing.T) {
	for _, tt := range []struct {
		name    string
		members []*ClassicMember
		want    string
		ok      bool
	}{
		{"nobody", nil, "", false},
		{"one", []*ClassicMember{classicMember("a", "range", "sticky")}, "range", true},
		{"a majority", []*ClassicMember{classicMember("a", "range", "sticky"), classicMember("b", "sticky", "range"), classicMember("c", "sticky", "range")}, "sticky", true},
		{"a tie", []*ClassicMember{classicMember("a", "range", "sticky"), classicMember("b", "sticky", "range")}, "range", true},
		{"one knows little", []*ClassicMember{classicMember("a", "range", "sticky"), classicMember("b", "range", "sticky"), classicMember("c", "sticky")}, "sticky", true},
		{"nothing in common", []*ClassicMember{classicMember("a", "range"), classicMember("b", "sticky")}, "", false},
	} {
		if got, ok := Vote(tt.members); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %q, %v", tt.name, got, ok)
		}
	}
}

func TestClassicMembersAreReadAsTheyWereWritten(t *testing.T) {
	m := classicMember("", "range", "sticky")
	m.Instance, m.ClientID, m.ClientHost = "instance", "client", "/10.0.0.1"
	text := m.Encode()
	if got, err := DecodeClassicMember(text); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range text {
		if _, err := DecodeClassicMember(text[:i]); err == nil {
			t.Errorf("%d bytes of %d can be read", i, len(text))
		}
	}
}

func FuzzSubscription(f *testing.F) {
	f.Add("\x00\x00\x00\x00\x00\x02\x00\x03red\x00\x04blue\xff\xff\xff\xff")
	f.Add("\x00\x01\x7f\xff\xff\xff")
	f.Fuzz(func(t *testing.T, metadata string) {
		size := 0
		for _, topic := range Subscription(metadata) {
			size += 2 + len(topic)
		}
		if size > len(metadata) {
			t.Errorf("%d bytes of topics in %d", size, len(metadata))
		}
	})
}

func TestSubscriptionsAreRead(t *testing.T) {
	for metadata, want := range map[string][]string{
		"\x00\x00\x00\x00\x00\x02\x00\x03red\x00\x04blue\xff\xff\xff\xff": {"red", "blue"},
		"\x00\x03\x00\x00\x00\x01\x00\x03red\x00\x00\x00\x00more":         {"red"},
		"\x00\x00\x00\x00\x00\x00":                                        nil,
		"":                                                                nil,
		"\x00\x00\x00\x00\x00\x02\x00\x03red\x00\x09blue":                 nil,
		"\x00\x00\xff\xff\xff\xff\x00\x03red":                             nil,
	} {
		if got := Subscription(metadata); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", metadata, got, want)
		}
	}
}

// Whatever members do, a generation has only those who have joined for it, who have its protocol in common; it
// waits for all that live, but not for ever; and its leader stays as long as it is a member.
func TestClassicGroupsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var group Classic
		var members []*ClassicMember
		now, quiet := int64(1_000_000), int64(0)
		heard := map[string]int64{}
		find := func(id string) int {
			return slices.IndexFunc(members, func(m *ClassicMember) bool { return m.ID == id })
		}
		alive := func(m *ClassicMember) bool { return now-heard[m.ID] <= m.Session }
		prepare := func() {
			if group.State != Preparing {
				group = group.Prepare(now, MaxRebalance(members))
			}
		}
		id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		protocols := rapid.SampledFrom([][]string{{"range"}, {"range", "sticky"}, {"sticky", "range"}, {"sticky"}})
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				m := classicMember(id.Draw(t, "id"), protocols.Draw(t, "protocols")...)
				others := slices.DeleteFunc(slices.Clone(members), func(o *ClassicMember) bool { return group.State == Empty && o.Joins != group.Next() })
				if rapid.IntRange(0, 9).Draw(t, "checked late") > 0 && !m.Fits(others) {
					return
				}
				m.Joins, heard[m.ID], quiet = group.Next(), now, 0
				if i := find(m.ID); i >= 0 {
					members[i] = m
				} else {
					members = append(members, m)
				}
				prepare()
			},
			"heartbeat": func(t *rapid.T) { heard[id.Draw(t, "id")] = now },
			"time": func(t *rapid.T) {
				d := rapid.Int64Range(1, 20_000).Draw(t, "ms")
				now, quiet = now+d, quiet+d
			},
			"leave": func(t *rapid.T) {
				i := find(id.Draw(t, "id"))
				if i < 0 {
					return
				}
				members = slices.Delete(members, i, i+1)
				switch {
				case len(members) == 0 && group.State != Empty:
					group = Classic{Generation: group.Next()}
				case group.State == Stable || group.State == Completing:
					prepare()
				}
			},
			"sync": func(*rapid.T) {
				if group.State == Completing {
					group.State = Stable
				}
			},
			"complete": func(t *rapid.T) {
				done, ok := group.Complete(members, alive, now, quiet, fmt.Sprint(group.Next()))
				if !ok {
					if group.State == Preparing && now >= group.Deadline {
						t.Fatalf("the group waits longer than it may: %+v", group)
					}
					return
				}
				checkCompletion(t, group, done, members, alive, now)
				members, group = done.Members, done.Group
			},
		})
	})
}

func checkCompletion(t *rapid.T, before Classic, done Completion, members []*ClassicMember, alive func(*ClassicMember) bool, now int64) {
	if done.Group.Generation != before.Generation+1 || before.State != Preparing {
		t.Fatalf("generation %d follows %d in state %s", done.Group.Generation, before.Generation, before.State)
	}
	if len(done.Members)+len(done.Dropped) != len(members) {
		t.Fatalf("of %d members %d stay and %d go", len(members), len(done.Members), len(done.Dropped))
	}
	for _, m := range done.Members {
		if m.Joins != done.Group.Generation || !m.Supports(done.Group.Protocol) || m.Type != done.Group.ProtocolType {
			t.Fatalf("%+v is in generation %+v", m, done.Group)
		}
	}
	for _, m := range done.Dropped {
		if m.Joins != done.Group.Generation && alive(m) && now < before.Deadline && !before.WasEmpty {
			t.Fatalf("%s is not waited for", m.ID)
		}
	}
	in := func(id string) bool {
		return slices.ContainsFunc(done.Members, func(m *ClassicMember) bool { return m.ID == id })
	}
	switch {
	case len(done.Members) == 0 && done.Group.State != Empty, len(done.Members) > 0 && done.Group.State != Completing:
		t.Fatalf("a group of %d members is in state %q", len(done.Members), done.Group.State)
	case len(done.Members) > 0 && !in(done.Group.Leader), in(before.Leader) && done.Group.Leader != before.Leader:
		t.Fatalf("%q leads after %q", done.Group.Leader, before.Leader)
	}
}

func TestAssignmentsOfConsumersAreRead(t *testing.T) {
	for _, row := range []struct{ name, bytes, want string }{
		{"two topics", "\x00\x00\x00\x00\x00\x02\x00\x01b\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x03\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff", "map[a:[0] b:[7 3]]"},
		{"nothing", "", "map[]"},
		{"no topics", "\x00\x01\x00\x00\x00\x00", "map[]"},
		{"a topic that is cut off", "\x00\x00\x00\x00\x00\x01\x00\x05b", "map[]"},
		{"more partitions than there are bytes", "\x00\x00\x00\x00\x00\x01\x00\x01b\x7f\xff\xff\xff\x00\x00\x00\x07", "map[]"},
		{"a negative length", "\x00\x00\x00\x00\x00\x01\xff\xff", "map[]"},
		{"more topics than there are bytes", "\x00\x00\x7f\xff\xff\xff\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x00", "map[]"},
	} {
		if got := fmt.Sprint(Assigned(row.bytes)); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
