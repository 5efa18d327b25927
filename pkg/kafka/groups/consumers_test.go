package groups

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// beatOf is a heartbeat of a client that joins, with all that it says.
func joinOf(id, instance string, names ...string) *Beat {
	return &Beat{Consumer: Consumer{ID: id, Instance: instance, Names: names, Rebalance: 1000}, Subscribes: true, Times: true, Asks: true, Owns: true}
}

func beatOf(m *Consumer, owned Parts) *Beat {
	return &Beat{Consumer: Consumer{ID: m.ID, Instance: m.Instance, Epoch: m.Epoch, Owned: owned}, Owns: true}
}

var redAndBlue = map[string]Topic{"red": {1, 6}, "blue": {2, 3}}

func TestConsumersGivePartitionsBackBeforeOthersGetThem(t *testing.T) {
	g := &Consumers{Epoch: 4}
	beat := func(b *Beat) *Consumer {
		t.Helper()
		m, err := g.Beat(b, redAndBlue, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a := beat(joinOf("a", "", "red"))
	if a.Epoch != 5 || a.Owned.Len() != 6 {
		t.Fatalf("a alone: %+v", a)
	}
	b := beat(joinOf("b", "", "red"))
	if b.Epoch != 6 || b.Owned.Len() != 0 || b.Target.Len() != 3 {
		t.Fatalf("b has joined: %+v", b)
	}
	all := a.Owned
	if beat(beatOf(a, all)); a.Epoch != 5 || a.Owned.Len() != 3 || a.Revoking.Len() != 3 || a.RevokeBy != 2000 {
		t.Fatalf("a is asked: %+v", a)
	}
	if beat(beatOf(a, all)); a.Revoking.Len() != 3 {
		t.Fatalf("a has not given anything back: %+v", a)
	}
	if beat(beatOf(b, Parts{})); b.Owned.Len() != 0 {
		t.Fatalf("b gets what a has: %+v", b)
	}
	if late := g.Late(2001); !slices.Equal(late, []string{"a"}) || g.Late(2000) != nil {
		t.Errorf("late: %v", late)
	}
	if beat(beatOf(a, a.Owned)); a.Epoch != 6 || a.Revoking.Len() != 0 || a.Previous != 5 {
		t.Fatalf("a has given back: %+v", a)
	}
	if beat(beatOf(b, Parts{})); b.Owned.Len() != 3 || b.Owned.Meets(a.Owned) {
		t.Fatalf("b gets what is free: %+v", b)
	}
	again := beatOf(a, a.Owned)
	again.Epoch = 5
	if _, err := g.Beat(again, redAndBlue, 1000); err != nil {
		t.Errorf("a has not got its last answer: %v", err)
	}
	again.Owned = all
	for _, epoch := range []int64{5, 4, 7} {
		again.Epoch = epoch
		if _, err := g.Beat(again, redAndBlue, 1000); !errors.Is(err, ErrFencedEpoch) {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
}

func TestStaticConsumersComeBackToWhatTheyHad(t *testing.T) {
	g := &Consumers{}
	a, err := g.Beat(joinOf("a1", "a", "red"), redAndBlue, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Beat(joinOf("a2", "a", "red"), redAndBlue, 0); !errors.Is(err, ErrUnreleasedInstance) {
		t.Errorf("another member of the instance: %v", err)
	}
	if _, err := g.Leaver(&Beat{Consumer: Consumer{ID: "a2", Instance: "a"}}); !errors.Is(err, ErrFencedInstance) {
		t.Errorf("another member of the instance leaves: %v", err)
	}
	claim := a.Claim()
	g.Pause(a)
	if a.Claim() != claim {
		t.Error("a member that is away has another claim")
	}
	b, err := g.Beat(joinOf("b", "", "red"), redAndBlue, 0)
	if err != nil || b.Owned.Len() != 0 {
		t.Fatalf("another member gets what the instance has: %+v, %v", b, err)
	}
	back, err := g.Beat(joinOf("a2", "a", "red"), redAndBlue, 0)
	if err != nil || back.Owned.Len() != 3 || back.Epoch != g.Epoch || g.Find("a1") != nil || back.Claim() <= claim {
		t.Errorf("the instance is back: %+v, %v", back, err)
	}
	if _, err := g.Beat(&Beat{Consumer: Consumer{ID: "a1", Instance: "a", Epoch: 1}}, redAndBlue, 0); !errors.Is(err, ErrFencedInstance) {
		t.Errorf("the one before: %v", err)
	}
}

func TestAssignors(t *testing.T) {
	describe := func(g *Consumers) (text string) {
		for _, m := range g.Members {
			text += fmt.Sprint(m.ID, m.Target, " ")
		}
		return text
	}
	for _, tt := range []struct {
		assignor string
		reads    map[string][]string
		want     string
	}{
		{RangeAssignor, map[string][]string{"a": {"blue", "red"}, "b": {"blue", "red"}}, "amap[1:[0 1 2] 2:[0 1]] bmap[1:[3 4 5] 2:[2]] "},
		{RangeAssignor, map[string][]string{"a": {"red"}, "b": {"blue"}, "c": {"none"}}, "amap[1:[0 1 2 3 4 5]] bmap[2:[0 1 2]] cmap[] "},
		{UniformAssignor, map[string][]string{"a": {"red"}, "b": {"blue", "red"}}, "amap[1:[0 1 2 3 5]] bmap[1:[4] 2:[0 1 2]] "},
		{UniformAssignor, map[string][]string{"a": {"red"}, "b": {"blue"}}, "amap[1:[0 1 2 3 4 5]] bmap[2:[0 1 2]] "},
	} {
		g := &Consumers{}
		for _, id := range []string{"a", "b", "c"} {
			if names := tt.reads[id]; names != nil {
				b := joinOf(id, "", names...)
				b.Assignor = tt.assignor
				g.add(&Consumer{ID: id, Names: names, Assignor: tt.assignor})
			}
		}
		g.Topics = redAndBlue
		g.Leave() // makes a target
		if got := describe(g); got != tt.want {
			t.Errorf("%s of %v: %s, want %s", tt.assignor, tt.reads, got, tt.want)
		}
	}
}

// consumerClient is a client as the protocol wants it, and what it believes.
type consumerClient struct {
	id, instance string
	names        []string
	epoch        int64
	owned        Parts
	joined       bool
}

// Clients join, leave, die, come back, change what they read, and get answers or not; topics grow, come and go. Whatever happens, no partition is held
// by two members, no two clients with sessions use one, a partition's holders have ever greater claims, the state
// survives its encoding, and once everybody is left in peace every partition has an owner and shares are alike.
func TestConsumersAreSafeAndComeToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &Consumers{}
		topics := map[string]Topic{"red": {1, 5}, "blue": {2, 3}}
		clients := []*consumerClient{}
		claims := map[place]string{}
		ids, topicIDs, now := 0, 2, int64(0)
		newID := func() string { ids++; return fmt.Sprintf("m%03d", rapid.IntRange(0, 9).Draw(t, "id")*100+ids%100) }
		names := func() []string {
			return rapid.SampledFrom([][]string{{"red"}, {"blue", "red"}, {"blue"}, {"none", "red"}}).Draw(t, "names")
		}
		drop := func(gone func(c *consumerClient) bool) {
			for _, c := range clients {
				if gone(c) {
					c.joined, c.owned, c.epoch = false, nil, 0
				}
			}
		}
		beat := func(c *consumerClient, answered bool) {
			b := &Beat{Consumer: Consumer{ID: c.id, Instance: c.instance, Epoch: c.epoch, Names: c.names, Owned: c.owned, Rebalance: 50}, Subscribes: true, Times: true, Owns: true}
			next := g.Clone()
			m, err := next.Beat(b, topics, now)
			if err != nil {
				c.epoch, c.owned = 0, nil // it has given up all that it had, and joins again
				if !errors.Is(err, ErrFencedEpoch) && !errors.Is(err, ErrUnknownConsumer) {
					c.joined = false
				}
				return
			}
			g = next
			if answered {
				c.joined, c.epoch, c.owned = true, m.Epoch, m.Owned
			}
		}
		check := func() {
			decoded, err := DecodeConsumers(g.Encode())
			if err != nil || decoded.Encode() != g.Encode() {
				t.Fatalf("encoded and decoded: %v", err)
			}
			holders := map[place]*Consumer{}
			for _, m := range g.Members {
				for _, parts := range []Parts{m.Owned, m.Revoking} {
					for id, list := range parts {
						for _, p := range list {
							at := place{fmt.Sprint(id), p}
							if o := holders[at]; o != nil {
								t.Fatalf("%v is held by %s and %s", at, o.ID, m.ID)
							}
							holders[at] = m
							// Whoever has it next has a greater epoch, whatever its id.
							if claim, was := m.Claim(), claims[at]; claim < was || was != "" && claim[8:] != was[8:] && claim[:8] == was[:8] {
								t.Fatalf("%v: claim %x after %x", at, claim, claims[at])
							} else {
								claims[at] = claim
							}
						}
					}
				}
			}
			using := map[place]string{}
			for _, c := range clients {
				m := g.Find(c.id)
				if !c.joined || m == nil || c.epoch != m.Epoch && c.epoch != m.Previous { // its session is over
					continue
				}
				for id, list := range c.owned {
					for _, p := range list {
						at := place{fmt.Sprint(id), p}
						if using[at] != "" {
							t.Fatalf("%v is used by %s and %s", at, using[at], c.id)
						}
						using[at] = c.id
					}
				}
			}
		}
		actions := map[string]func(*rapid.T){
			"come": func(*rapid.T) {
				if len(clients) < 5 {
					c := &consumerClient{id: newID(), names: names()}
					if rapid.Bool().Draw(t, "static") {
						c.instance = rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "instance")
					}
					clients = append(clients, c)
					beat(c, rapid.Bool().Draw(t, "answered"))
				}
			},
			"beat": func(*rapid.T) {
				if len(clients) > 0 {
					beat(rapid.SampledFrom(clients).Draw(t, "client"), rapid.IntRange(0, 3).Draw(t, "answered") > 0)
				}
			},
			"change": func(*rapid.T) {
				if len(clients) > 0 {
					rapid.SampledFrom(clients).Draw(t, "client").names = names()
				}
			},
			"leave": func(*rapid.T) {
				if len(clients) == 0 {
					return
				}
				c := rapid.SampledFrom(clients).Draw(t, "client")
				if m, err := g.Leaver(&Beat{Consumer: Consumer{ID: c.id, Instance: c.instance}}); err == nil {
					g = g.Clone()
					if c.instance != "" && rapid.Bool().Draw(t, "pauses") {
						g.Pause(g.Find(m.ID))
					} else {
						g.Leave(m.ID)
					}
				}
				clients = slices.DeleteFunc(clients, func(o *consumerClient) bool { return o == c })
			},
			"die": func(*rapid.T) {
				if len(g.Members) == 0 {
					return
				}
				id := rapid.SampledFrom(g.Members).Draw(t, "dead").ID
				g = g.Clone()
				g.Leave(id)
				if rapid.Bool().Draw(t, "for good") {
					clients = slices.DeleteFunc(clients, func(c *consumerClient) bool { return c.id == id })
				}
			},
			"time": func(*rapid.T) {
				now += 40
				if late := g.Late(now); len(late) > 0 {
					g = g.Clone()
					g.Leave(late...)
				}
			},
			"topics": func(*rapid.T) {
				next := map[string]Topic{}
				for name, topic := range topics {
					next[name] = topic
				}
				switch name := rapid.SampledFrom([]string{"red", "blue"}).Draw(t, "topic"); rapid.IntRange(0, 2).Draw(t, "what") {
				case 0:
					delete(next, name)
				case 1:
					topicIDs++
					next[name] = Topic{int64(topicIDs), 4}
				case 2:
					if topic, ok := next[name]; ok && topic.Partitions < 8 {
						next[name] = Topic{topic.ID, topic.Partitions + 1}
					}
				}
				topics = next
			},
			"": func(*rapid.T) { check() },
		}
		t.Repeat(actions)

		// In peace: whoever is not there any more is found dead, and all others get their answers.
		g = g.Clone()
		var gone []string
		for _, m := range g.Members {
			if !slices.ContainsFunc(clients, func(c *consumerClient) bool { return c.id == m.ID }) {
				gone = append(gone, m.ID)
			}
		}
		g.Leave(gone...)
		drop(func(c *consumerClient) bool { return g.Find(c.id) == nil })
		for range 12 {
			for _, c := range clients {
				beat(c, true)
				check()
			}
		}
		for name, topic := range topics {
			readers := 0
			for _, m := range g.Members {
				if slices.Contains(m.Names, name) {
					readers++
				}
			}
			for p := range topic.Partitions {
				if o := g.Owner(topic.ID, p); readers > 0 && (o == nil || !o.Owned.Has(topic.ID, p) || !slices.Contains(o.Names, name)) {
					t.Fatalf("%s/%d, which %d members read, is owned by %+v", name, p, readers, o)
				}
			}
		}
		for _, m := range g.Members {
			if !g.Settled(m) {
				t.Fatalf("%s has not come to rest: %+v, epoch %d", m.ID, m, g.Epoch)
			}
			for _, o := range g.Members {
				if slices.Equal(m.Names, o.Names) && m.Owned.Len() > o.Owned.Len()+1 {
					t.Fatalf("%s has %v, and %s has %v", m.ID, m.Owned, o.ID, o.Owned)
				}
			}
		}
	})
}
