package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	streamembedded "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// groupChaosMessages is how many messages the chaos of groups produces; SKYSTASH_GROUP_CHAOS_MESSAGES
// sets it.
func groupChaosMessages(t *testing.T) int {
	text := os.Getenv("SKYSTASH_GROUP_CHAOS_MESSAGES")
	if text == "" {
		return 8_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// groupChaos is what the clients of the chaos have sent and got.
type groupChaos struct {
	*testing.T
	engines []*Engine // with clocks that differ
	c       *Cluster

	mu     sync.Mutex
	topics []string                    // that consumers subscribe to
	sent   map[place]bool              // acknowledged
	seen   map[string]map[place]bool   // by group: received, in answers that did arrive
	unseen map[string]map[place]bool   // by group: acknowledged, and not seen
	dice   *rand.Rand                  // with mu
	did    map[string]int              // how often what was done
	most   map[TopicPartition][2]int64 // committed offsets seen last, of both groups

	compacted *compactedChaos
}

type place struct {
	topic     string
	partition int
	offset    int64
}

func (g *groupChaos) roll(n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dice.IntN(n)
}

func (g *groupChaos) count(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.did[what]++
}

func (g *groupChaos) engine() *Engine { return g.engines[g.roll(len(g.engines))] }

// subscription are the topics that a group reads; of "", those of the groups auto and manual.
func (g *groupChaos) subscription(group string) []string {
	if group == viewsGroup {
		return []string{compactedTopic}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.topics)
}

func (g *groupChaos) received(group string, got []Message) {
	if group == viewsGroup {
		g.compacted.received(got)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range got {
		at := place{m.Topic, m.Partition, m.Offset}
		g.seen[group][at] = true
		delete(g.unseen[group], at)
	}
}

// missing is how many acknowledged messages some group has not got. Of a compacted topic, the last ones of their
// keys count.
func (g *groupChaos) missing() (n int) {
	n = g.compacted.missing()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, unseen := range g.unseen {
		n += len(unseen)
	}
	return n
}

func (g *groupChaos) produce(ctx context.Context, messages int) {
	size := max(20, messages/500) // many messages come in larger batches, not in more time
	for sent := 0; sent < messages; sent += size {
		topics := g.subscription("")
		ms := make([]NewMessage, size)
		topic := topics[g.roll(len(topics))]
		for i := range ms {
			ms[i] = NewMessage{Topic: topic, Partition: AnyPartition, Timestamp: -1, Key: fmt.Appendf(nil, "%d", g.roll(100)), Value: []byte("v")}
		}
		got, err := g.engine().Produce(ctx, g.c, ms)
		if err == nil {
			g.mu.Lock()
			for _, p := range got {
				if p.Err == nil {
					at := place{topic, p.Partition, p.Offset}
					g.sent[at] = true
					for group, seen := range g.seen {
						if !seen[at] {
							g.unseen[group][at] = true
						}
					}
				}
			}
			g.mu.Unlock()
		}
		time.Sleep(time.Duration(g.roll(1000)) * time.Millisecond)
	}
}

// client is a consumer with one name after the other. Of each, it ends in another way.
func (g *groupChaos) client(ctx context.Context, group string, number int) {
	o := InstanceOptions{Reset: ResetEarliest, SessionTimeout: 10 * time.Second, AutoCommit: group != "manual", AutoCommitInterval: time.Second}
	for life := 0; ctx.Err() == nil; life++ {
		name := fmt.Sprintf("%d-%d", number, life)
		topics := g.subscription(group)
		poll := func(ctx context.Context) ([]Message, error) {
			return g.engine().Consume(ctx, g.c, group, name, topics, o, time.Duration(g.roll(5000))*time.Millisecond)
		}
		for alive := true; alive && ctx.Err() == nil; {
			what := g.roll(100)
			if what < 10 { // a poll that is given up; the next one is on its heels
				g.count("polls given up")
				short, cancel := context.WithTimeout(ctx, time.Duration(g.roll(2000))*time.Millisecond)
				got, err := poll(short)
				cancel()
				if err == nil {
					g.received(group, got)
				}
				continue
			}
			if what < 20 { // one that is left behind, and deleted with its instance
				g.count("deletions during a poll")
				left := make(chan struct{})
				go func() {
					defer close(left)
					if got, err := poll(ctx); err == nil {
						g.received(group, got)
					}
				}()
				time.Sleep(time.Duration(g.roll(1500)) * time.Millisecond)
				_ = g.engine().DeleteInstance(ctx, g.c, group, name)
				<-left
				alive = false
				continue
			}
			got, err := poll(ctx)
			if err != nil {
				continue
			}
			if what < 25 && len(got) > 0 { // the client dies, and its answer is lost
				g.count("answers lost")
				alive = false
				continue
			}
			g.received(group, got)
			if what < 28 {
				g.count("crashes")
				alive = false
				continue
			}
			if !o.AutoCommit && what < 80 {
				g.commit(ctx, group, name, got, what%2 == 0)
			}
		}
	}
}

func (g *groupChaos) commit(ctx context.Context, group, name string, got []Message, positions bool) {
	last := map[TopicPartition]int64{}
	for _, m := range got {
		last[TopicPartition{m.Topic, m.Partition}] = m.Offset + 1
	}
	var offsets []TopicOffset
	for tp, offset := range last {
		offsets = append(offsets, TopicOffset{tp, offset})
	}
	if positions {
		offsets = nil
	} else if len(offsets) == 0 {
		return
	}
	err := g.engine().Commit(ctx, g.c, group, name, offsets)
	if err == nil {
		g.count("commits")
	} else if IsKind(err, Lost) {
		g.count("commits refused")
	}
}

// watch sees to it that committed offsets never go back, and never vanish.
func (g *groupChaos) watch(ctx context.Context) {
	for i, group := range []string{"auto", "manual"} {
		for _, topic := range g.subscription("") {
			t, err := g.engines[0].Topic(ctx, g.c, topic)
			if err != nil {
				continue
			}
			for p := range t.Partitions {
				tp := TopicPartition{topic, p}
				got, err := g.engines[0].Committed(ctx, g.c, group, []TopicPartition{tp})
				if err != nil {
					continue
				}
				seen, ok := g.most[tp]
				if !ok {
					seen = [2]int64{-1, -1}
				}
				if got[0].Offset < seen[i] {
					g.Errorf("group %s, %v: committed was %d and is %d", group, tp, seen[i], got[0].Offset)
				}
				seen[i] = got[0].Offset
				g.most[tp] = seen
			}
		}
	}
}

// Whatever clients do to groups, and whatever fails: each group that commits after it has got its
// messages gets all that were acknowledged.
func TestGroupsMissNothingAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		st := faulty.New(inner, faulty.Plan{})
		stream, err := streamembedded.Open(t.Context(), streamembedded.Options{Store: inner})
		if err != nil {
			t.Fatal(err)
		}
		g := &groupChaos{
			T: t, c: &Cluster{ID: "c1", MaxPartitions: 100}, topics: []string{"red"}, sent: map[place]bool{},
			seen: map[string]map[place]bool{"auto": {}, "manual": {}}, unseen: map[string]map[place]bool{"auto": {}, "manual": {}}, dice: rand.New(rand.NewPCG(5, 6)), did: map[string]int{}, most: map[TopicPartition][2]int64{},
		}
		for _, ahead := range []time.Duration{0, 3 * time.Second} {
			g.engines = append(g.engines, New(Config{Store: st, Stream: stream, RecordTTL: time.Second, CompactKeys: 40, Now: func() time.Time { return time.Now().Add(ahead) }}))
		}
		g.compacted = newCompactedChaos(g)
		e := g.engines[0]
		if _, err := e.CreateCluster(t.Context(), ClusterOptions{ID: "c1", MaxPartitions: 100}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.CreateTopic(t.Context(), g.c, "red", TopicOptions{Partitions: 6}); err != nil {
			t.Fatal(err)
		}
		g.compacted.create(t.Context(), t)
		const odds = 0.001
		st.SetPlan(faulty.Plan{Seed: 3, Throttle: odds, Conflict: odds, Unavailable: odds, LostApplied: odds, LostUnapplied: odds})
		running, stop := context.WithCancel(t.Context())
		var work, background sync.WaitGroup
		background.Go(func() {
			if err := e.Run(running); err != nil {
				t.Error(err)
			}
		})
		for _, group := range []string{"auto", "manual", viewsGroup} {
			for i := range 3 {
				background.Go(func() { g.client(running, group, i) })
			}
		}
		background.Go(func() {
			for running.Err() == nil {
				_, _ = e.Reclaim(running) // it goes on with what failed the next time
				g.watch(running)
				time.Sleep(5 * time.Second)
			}
		})
		background.Go(func() { // compacts at the same time
			for running.Err() == nil {
				_, _ = g.engines[1].Reclaim(running)
				time.Sleep(time.Duration(g.roll(10_000)) * time.Millisecond)
			}
		})
		background.Go(func() {
			for running.Err() == nil {
				g.compacted.scan(running)
				time.Sleep(10 * time.Second)
			}
		})
		messages := groupChaosMessages(t)
		for i := range 4 {
			work.Go(func() { g.produce(t.Context(), messages/4) })
			work.Go(func() { g.compacted.produce(t.Context(), i, messages/16) })
		}
		work.Go(func() { // topics and partitions come meanwhile
			time.Sleep(20 * time.Second)
			for _, name := range []string{"blue", "green"} {
				for {
					if _, err := e.CreateTopic(t.Context(), g.c, name, TopicOptions{Partitions: 3}); err == nil || IsKind(err, Exists) {
						break
					}
				}
				g.mu.Lock()
				g.topics = append(g.topics, name)
				g.mu.Unlock()
				time.Sleep(10 * time.Second)
			}
			for {
				if _, err := e.UpdateTopic(t.Context(), g.c, "red", func(o *TopicOptions) { o.Partitions = 8 }); err == nil {
					break
				}
			}
		})
		work.Wait()
		produced := time.Now()
		// What is missed is what does not come while the groups get nothing else either.
		least, since := g.missing(), produced
		for n := least; n > 0 && time.Since(since) < 10*time.Minute; n = g.missing() {
			if n < least {
				least, since = n, time.Now()
			}
			time.Sleep(time.Second)
		}
		left := g.compacted.scan(t.Context())
		if n := g.missing(); n > 0 {
			t.Errorf("%d messages are missed, %d of them last ones of their keys; %d were acknowledged", n, g.compacted.missing(), len(g.sent))
			for group, unseen := range g.unseen {
				for at := range unseen {
					t.Errorf("for example %v, by group %s", at, group)
					break
				}
			}
		}
		stop()
		for _, e := range g.engines {
			e.Close()
		}
		background.Wait()
		t.Logf("%d acknowledged, in %v; %v; store %+v", len(g.sent), produced.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), g.did, st.Counts())
		t.Logf("compacted topic: %d acknowledged, %d left at the end, read %d times", g.compacted.n, left, g.compacted.scans)
		if g.compacted.n < messages/8 || left > g.compacted.n/2 || g.compacted.scans < 3 {
			t.Errorf("of the compacted topic's %d messages %d are left, and it was read %d times", g.compacted.n, left, g.compacted.scans)
		}
		if len(g.sent) < messages/2 {
			t.Errorf("only %d messages were acknowledged", len(g.sent))
		}
		for _, what := range []string{"polls given up", "deletions during a poll", "answers lost", "crashes", "commits"} {
			if g.did[what] == 0 {
				t.Errorf("no %s", what)
			}
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}
