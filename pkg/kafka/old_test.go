package kafka

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

// oldGroup is a group's item as builds wrote it that kept all of a group in one item: an instance has
// partitions 0 to 19 of the topic with the id 1, and 20 to 29 are of nobody.
func oldGroup(compressed bool, version string) store.Attrs {
	members := `[{"i":3,"n":"i","t":["red"],"a":true,"c":5000,"r":"latest","s":120000,"p":{"red":{"i":1,"f":0,"t":20,"o":30}}}]`
	if compressed {
		var b bytes.Buffer
		b.WriteByte(1)
		w, _ := flate.NewWriter(&b, flate.BestSpeed)
		_, _ = w.Write([]byte(members))
		_ = w.Close()
		members = b.String()
	}
	attrs := []store.Attr{
		{Name: "m", Value: store.Bytes(members)}, {Name: "v", Value: store.Bytes(version)}, {Name: "g", Value: store.Int(41)},
		{Name: "r", Value: store.Int(start.UnixMilli())}, {Name: "nred", Value: store.Bytes("1.30")}, {Name: "l3", Value: store.Int(start.UnixMilli())},
		{Name: "k1.1", Value: store.Int(2)}, // answered, and not confirmed
		{Name: "c1.0", Value: store.Int(1)}, {Name: "c1.25", Value: store.Int(2)},
	}
	for p := range 20 {
		attrs = append(attrs, store.Attr{Name: fmt.Sprint("o1.", p), Value: store.Int(3)})
	}
	return store.NewAttrs(attrs...)
}

func (w *world) oldGroup(attrs store.Attrs) {
	w.Helper()
	err := w.store.Load(w.Context(), []store.Item{
		{Key: groupKey("c1", "g"), Attrs: attrs},
		{Key: groupIndexKey("c1", "g"), Attrs: store.NewAttrs(store.Attr{Name: indexInstances, Value: store.Int(1)})},
	}, nil)
	if err != nil {
		w.Fatal(err)
	}
}

// Whoever meets a group of an older build first, in whatever way: its offsets are there, and its
// instances join again and go on where they were.
func TestGroupsOfOlderBuildsAreConverted(t *testing.T) {
	for name, first := range map[string]func(w *world) error{
		"a consumer": func(w *world) error {
			_, err := w.e.Consume(w.Context(), w.cluster, "g", "i", []string{"red"}, fromLatest, 0)
			return err
		},
		"another consumer": func(w *world) error {
			_, err := w.e.Consume(w.Context(), w.cluster, "g", "j", []string{"red"}, fromLatest, 0)
			return err
		},
		"a sweep": func(w *world) error { w.reclaim(); return nil },
		"a list":  func(w *world) error { _, err := w.e.Lags(w.Context(), w.cluster); return err },
		"a reset": func(w *world) error {
			return w.e.ResetOffsets(w.Context(), w.cluster, "g", []TopicOffset{{TopicPartition{"red", 29}, 9}})
		},
	} {
		for _, compressed := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", compressed), func(t *testing.T) {
				w := newWorld(t, openStore(t))
				w.topic("red", TopicOptions{Partitions: 30})
				w.oldGroup(oldGroup(compressed, "12345678"))
				if err := first(w); err != nil {
					t.Fatal(err)
				}
				for p, want := range map[int]int64{0: 1, 1: 2, 2: 3, 19: 3, 20: -1, 25: 2} {
					if got := w.committed("red", p); got != want {
						t.Errorf("partition %d: committed %d, want %d", p, got, want)
					}
				}
				attrs, err := w.store.Get(t.Context(), groupKey("c1", "g"))
				if err != nil || attrs.Get(groupForm).Str() != formItems || attrs.Get(groupGeneration).Num() < 41 {
					t.Errorf("the group's item is %v, %v", attrs, err)
				}
				for _, a := range attrs {
					if strings.Contains(a.Name, ".") {
						t.Errorf("the group's item has %s", a.Name)
					}
				}
			})
		}
	}
}

// What an older build writes while a group is being converted is not lost, and of several who convert it
// none undoes what was committed after.
func TestConversionsThatMeet(t *testing.T) {
	for call := 1; ; call++ {
		w := newWorld(t, openStore(t))
		w.topic("red", TopicOptions{Partitions: 30})
		w.oldGroup(oldGroup(false, "12345678"))
		s := &interrupted{Store: w.store, before: call, do: func() {
			if call%2 == 0 && call < 4 { // the older build goes on
				w.oldGroup(oldGroup(false, "87654321").With("c1.0", store.Int(2)))
			}
			if _, err := w.e.Lag(t.Context(), w.cluster, "g"); err != nil { // which converts
				t.Fatal(err)
			}
			w.consume("i", auto, "red")
			if err := w.e.Commit(t.Context(), w.cluster, "g", "i", []TopicOffset{{TopicPartition{"red", 0}, 77}}); err != nil {
				t.Fatal(err)
			}
		}}
		slow := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(slow.Close)
		if _, err := slow.Lag(t.Context(), w.cluster, "g"); err != nil {
			t.Fatal(err)
		}
		if s.calls < call {
			return
		}
		if got := w.committed("red", 0); got != 77 {
			t.Errorf("before call %d: committed %d, want what was committed after the conversion", call, got)
		}
	}
}
