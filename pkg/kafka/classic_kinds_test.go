package kafka

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// A group has members of one kind, however many of both come at once, to whatever process.
func TestKindsOfMembersDoNotMix(t *testing.T) {
	assigned, classic := 0, 0
	for delay := range 24 {
		inClassicBubble(t, 3, 10, func(w *classicWorld) {
			var joining sync.WaitGroup
			for i := range 4 {
				joining.Go(func() {
					time.Sleep(time.Duration(max(0, delay-12)) * 10 * time.Millisecond)
					e := w.engines[i%3]
					_, err := e.Consume(w.Context(), e.c, "g", fmt.Sprint(i), []string{"red"}, auto, 0)
					if err != nil && !IsKind(err, InUse) {
						w.Errorf("an instance of the REST API: %v", err)
					}
				})
				joining.Go(func() {
					time.Sleep(time.Duration(max(0, 12-delay)) * 10 * time.Millisecond)
					err := w.member((i + 1) % 3).join(w.Context())
					if code := CodeOf(err); code != 0 && code != CodeInconsistentProtocol {
						w.Errorf("a member of Kafka's own protocol: %v", err)
					}
				})
			}
			joining.Wait()
			e := w.engines[0]
			g, err := e.loadGroup(w.Context(), "c1", "g")
			if err != nil {
				w.Fatal(err)
			}
			instances, members := len(g.live(e.nowMs())), len(classicOf(g.attrs).State)
			switch {
			case instances > 0 && members > 0:
				w.Errorf("delay %d: %d instances, and state %q", delay, instances, classicOf(g.attrs).State)
			case instances > 0:
				assigned++
			case members > 0:
				classic++
			}
		})
	}
	if assigned == 0 || classic == 0 {
		t.Errorf("%d times the one kind came first, and %d times the other", assigned, classic)
	}
}
