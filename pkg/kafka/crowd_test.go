package kafka

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
	"github.com/skystash/skystash/pkg/store/slow/crowdtest"
)

// crowdEngine is an engine with the real clock, which in a test's bubble is the bubble's.
type crowdEngine struct {
	*Engine
	c *Cluster
}

func newCrowdEngine(_ testing.TB, st store.Store) crowdEngine {
	s := &manual{clock: &clock{}}
	s.clock.at.Store(start.UnixMilli())
	return crowdEngine{New(Config{Store: st, Stream: s, RecordTTL: time.Second}), &Cluster{ID: "c1", MaxPartitions: 1000}}
}

func (e crowdEngine) prepare(ctx context.Context, partitions int) error {
	if _, err := e.CreateCluster(ctx, ClusterOptions{ID: "c1", MaxPartitions: 1000}); err != nil {
		return err
	}
	_, err := e.CreateTopic(ctx, e.c, "red", TopicOptions{Partitions: partitions})
	return err
}

func (e crowdEngine) join(ctx context.Context, i int) error {
	_, err := e.Consume(ctx, e.c, "g", fmt.Sprintf("i%03d", i), []string{"red"}, auto, 0)
	return err
}

// joined prepares a group with all instances that a crowd is of.
func (e crowdEngine) joined(ctx context.Context) error {
	if err := e.prepare(ctx, crowdtest.Callers); err != nil {
		return err
	}
	for i := range crowdtest.Callers {
		if err := e.join(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (e crowdEngine) instances(t *testing.T) map[string]int {
	t.Helper()
	groups, err := e.Groups(t.Context(), e.c)
	if err != nil {
		t.Fatal(err)
	}
	partitions := map[string]int{}
	for _, g := range groups {
		for _, i := range g.Instances {
			partitions[i.Name] = len(i.Partitions)
		}
	}
	return partitions
}

func TestCrowds(t *testing.T) {
	operations := []crowdtest.Operation[crowdEngine]{
		{
			Name: "instances join a group", Engines: crowdtest.Callers, MaxReads: 25, MaxWrites: 6,
			Prepare: func(ctx context.Context, e crowdEngine) error { return e.prepare(ctx, crowdtest.Callers) },
			Do:      func(ctx context.Context, e crowdEngine, i int) error { return e.join(ctx, i) },
			Check: func(t *testing.T, e crowdEngine, callers int) {
				got := e.instances(t)
				for i := range callers {
					if n := got[fmt.Sprintf("i%03d", i)]; n != crowdtest.Callers/callers {
						t.Errorf("instance %d of %d has %d partitions", i, callers, n)
					}
				}
			},
		},
		{
			Name: "instances leave a group", Engines: crowdtest.Callers, MaxReads: 25, MaxWrites: 6,
			Prepare: func(ctx context.Context, e crowdEngine) error { return e.joined(ctx) },
			Do: func(ctx context.Context, e crowdEngine, i int) error {
				return e.DeleteInstance(ctx, e.c, "g", fmt.Sprintf("i%03d", i))
			},
			Check: func(t *testing.T, e crowdEngine, callers int) {
				if got := e.instances(t); len(got) != crowdtest.Callers-callers {
					t.Errorf("%d instances are left of %d", len(got), crowdtest.Callers)
				}
			},
		},
		{
			Name:    "instances commit",
			Prepare: func(ctx context.Context, e crowdEngine) error { return e.joined(ctx) },
			Do: func(ctx context.Context, e crowdEngine, i int) error {
				return e.Commit(ctx, e.c, "g", fmt.Sprintf("i%03d", i), []TopicOffset{{TopicPartition{"red", i}, int64(i)}})
			},
			Check: func(t *testing.T, e crowdEngine, callers int) {
				for i := range callers {
					got, err := e.Committed(t.Context(), e.c, "g", []TopicPartition{{"red", i}})
					if err != nil || got[0].Offset != int64(i) {
						t.Errorf("committed are %v (%v), want %d", got, err, i)
					}
				}
			},
		},
		{
			Name:    "topics are created",
			Prepare: func(ctx context.Context, e crowdEngine) error { return e.prepare(ctx, 1) },
			Do: func(ctx context.Context, e crowdEngine, i int) error {
				_, err := e.CreateTopic(ctx, e.c, fmt.Sprintf("t%d", i), TopicOptions{})
				return err
			},
			Check: func(t *testing.T, e crowdEngine, callers int) {
				if c, err := e.Cluster(t.Context(), "c1"); err != nil || c.Partitions != callers+1 {
					t.Errorf("the cluster is %+v (%v), want %d partitions", c, err, callers+1)
				}
			},
		},
		{
			Name:    "messages are produced to one partition",
			Prepare: func(ctx context.Context, e crowdEngine) error { return e.prepare(ctx, 1) },
			Do: func(ctx context.Context, e crowdEngine, i int) error {
				got, err := e.Produce(ctx, e.c, []NewMessage{{Topic: "red", Timestamp: -1, Value: []byte("a")}})
				if err != nil {
					return err
				}
				return got[0].Err
			},
			Check: func(t *testing.T, e crowdEngine, callers int) {
				got, err := e.Offsets(t.Context(), e.c, []TopicPartition{{"red", 0}}, Latest, 0)
				if err != nil || got[0].Offset != int64(callers) {
					t.Errorf("the next offset is %v (%v), want %d", got, err, callers)
				}
			},
		},
		{
			Name:    "credentials are revoked",
			Prepare: func(ctx context.Context, e crowdEngine) error { return e.prepare(ctx, 1) },
			Do: func(ctx context.Context, e crowdEngine, i int) error {
				return e.RevokeCredential(ctx, "c1", fmt.Sprintf("cred%d", i), time.Time{})
			},
		},
	}
	operations = append(operations, crowdtest.Operation[crowdEngine]{
		// Each attempt writes the new partitions' heads before its transaction. Measured: 1.4 times.
		Name:    "partitions are added to a topic",
		Prepare: func(ctx context.Context, e crowdEngine) error { return e.prepare(ctx, 1) },
		Do: func(ctx context.Context, e crowdEngine, i int) error {
			_, err := e.UpdateTopic(ctx, e.c, "red", func(o *TopicOptions) { o.Partitions++ })
			return err
		},
		Check: func(t *testing.T, e crowdEngine, callers int) {
			if c, err := e.Cluster(t.Context(), "c1"); err != nil || c.Partitions != callers+1 {
				t.Errorf("the cluster is %+v (%v), want %d partitions", c, err, callers+1)
			}
		},
	})
	batches := make([][]byte, crowdtest.Callers)
	for i := range batches {
		batches[i] = numbered(t, int64(i), 0, 0, "a")
	}
	operations = append(operations, crowdtest.Operation[crowdEngine]{
		// Engines are gateways, of which there are few. Measured over six: 1.8 times as many reads; over ten, 2.1 times.
		Name: "idempotent producers begin at a partition that has many", Engines: 6,
		Prepare: func(ctx context.Context, e crowdEngine) error {
			if err := e.prepare(ctx, 1); err != nil {
				return err
			}
			for i := range hotProducers {
				if err := e.Append(ctx, e.c, []NewBatch{{TopicPartition{"red", 0}, numbered(t, int64(1000+i), 0, 0, "a")}}, 0)[0].Err; err != nil {
					return err
				}
			}
			return nil
		},
		Do: func(ctx context.Context, e crowdEngine, i int) error {
			return e.Append(ctx, e.c, []NewBatch{{TopicPartition{"red", 0}, bytes.Clone(batches[i])}}, 0)[0].Err
		},
		Check: func(t *testing.T, e crowdEngine, callers int) {
			got, err := e.Offsets(t.Context(), e.c, []TopicPartition{{"red", 0}}, Latest, 0)
			if err != nil || got[0].Offset != int64(hotProducers+callers) {
				t.Errorf("the next offset is %v (%v), want %d", got, err, hotProducers+callers)
			}
		},
	})
	for _, o := range operations {
		o.New = newCrowdEngine
		o.Run(t)
	}
}

// Each instance is a process of its own, and all start at once.
func TestManyInstancesJoinAtOnce(t *testing.T) {
	units := func(t *testing.T, instances int) float64 {
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		st := slow.New(inner, slow.Options{Latency: 5 * time.Millisecond})
		defer st.Close()
		e := newCrowdEngine(t, st)
		if err := e.prepare(t.Context(), 200); err != nil {
			t.Fatal(err)
		}
		st.Reset()
		began := time.Now()
		var joining sync.WaitGroup
		for i := range instances {
			joining.Go(func() {
				if err := newCrowdEngine(t, st).join(t.Context(), i); err != nil {
					t.Errorf("instance %d: %v", i, err)
				}
			})
		}
		joining.Wait()
		took, counts := time.Since(began), st.Counts()
		t.Logf("%d instances: %v, %v read and %v write units", instances, took.Round(time.Millisecond), counts.ReadUnits, counts.WriteUnits)
		if took > 5*time.Second {
			t.Errorf("%d instances have joined after %v", instances, took)
		}
		if counts.ReadUnits > 900 || counts.WriteUnits > 900 {
			t.Errorf("%d instances cost %v read and %v write units, want at most 900 each", instances, counts.ReadUnits, counts.WriteUnits)
		}
		got := e.instances(t)
		for i := range instances {
			if n := got[fmt.Sprintf("i%03d", i)]; n != 200/instances {
				t.Errorf("instance %d of %d has %d partitions", i, instances, n)
			}
		}
		return counts.ReadUnits + counts.WriteUnits
	}
	var half, all float64
	synctest.Test(t, func(t *testing.T) { half = units(t, 100) })
	synctest.Test(t, func(t *testing.T) { all = units(t, 200) })
	if all > 2.2*half {
		t.Errorf("200 instances cost %v units, 100 %v", all, half)
	}
}
