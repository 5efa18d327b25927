package qstash_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	messages = flag.Int("messages", 2000, "`number` of messages that flow while the server is killed")
	kills    = flag.Int("kills", 4, "how `often` it is")
)

// receipt is what the destination knows about what was published under one name: once,
// or again because the answer was lost.
type receipt struct {
	attempts  int
	delivered map[string][]time.Time // by message id: when it was answered with 200
}

// destination fails a fifth of all attempts.
type destination struct {
	*httptest.Server
	mu    sync.Mutex
	seen  map[string]*receipt
	order []int // numbers of the queue's messages, when they were first delivered
	conns map[net.Conn]bool
}

func newDestination(t *testing.T) *destination {
	d := &destination{seen: map[string]*receipt{}, conns: map[net.Conn]bool{}}
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(d.serve))
	d.Config.ConnState = func(c net.Conn, state http.ConnState) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.conns[c] = true; state == http.StateClosed || state == http.StateHijacked {
			delete(d.conns, c)
		}
	}
	d.Start()
	t.Cleanup(d.Close)
	return d
}

// settled waits until all that a dead sender has sent is served. A connection of the test's own comes behind
// those that wait to be accepted.
func (d *destination) settled(t *testing.T) {
	t.Helper()
	last, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	for {
		d.mu.Lock()
		accepted, open := false, len(d.conns)
		for c := range d.conns {
			accepted = accepted || c.RemoteAddr().String() == last.LocalAddr().String()
		}
		d.mu.Unlock()
		if accepted && open == 1 {
			return
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

func (d *destination) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name := string(body)
	d.mu.Lock()
	defer d.mu.Unlock()
	rec := d.seen[name]
	if rec == nil {
		rec = &receipt{delivered: map[string][]time.Time{}}
		d.seen[name] = rec
	}
	rec.attempts++
	if sum := sha256.Sum256(fmt.Append(nil, name, rec.attempts)); sum[0]%5 == 0 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if n, ok := strings.CutPrefix(name, "queue "); ok && len(rec.delivered) == 0 {
		i, err := strconv.Atoi(n)
		if err != nil {
			panic(err)
		}
		d.order = append(d.order, i)
	}
	id := r.Header.Get("Upstash-Message-Id")
	rec.delivered[id] = append(rec.delivered[id], time.Now())
}

func (d *destination) delivered(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	rec := d.seen[name]
	return rec != nil && len(rec.delivered) > 0
}

// TestKilledServerLosesNothing kills the server while messages flow. The whole size is
//
//	go test ./integration/qstash -run Killed -messages 20000 -kills 20
func TestKilledServerLosesNothing(t *testing.T) {
	l, d := newServer(t), newDestination(t)
	l.start()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()

	var mu sync.Mutex
	accepted := map[string]bool{}
	publish := func(path, name string, insist bool) {
		header := map[string]string{"Upstash-Retries": "2", "Upstash-Retry-Delay": "30"}
		for {
			err := l.call(ctx, http.MethodPost, path+d.URL, header, name, nil)
			if err == nil {
				mu.Lock()
				accepted[name] = true
				mu.Unlock()
				return
			}
			if ctx.Err() != nil {
				t.Error(err)
				return
			}
			if !insist {
				return // what is not acknowledged may be lost
			}
			time.Sleep(time.Millisecond) // the server is down
		}
	}
	var publishers sync.WaitGroup
	queued := *messages / 20
	publishers.Go(func() {
		for i := range queued {
			publish("/v2/enqueue/q/", "queue "+strconv.Itoa(i), true)
		}
	})
	const lanes = 8
	for lane := range lanes {
		publishers.Go(func() {
			for i := range (*messages - queued) / lanes {
				publish("/v2/publish/", fmt.Sprintf("plain %d %d", lane, i), i%10 != 0)
			}
		})
	}
	done := make(chan struct{})
	go func() { publishers.Wait(); close(done) }()
	var killed []time.Time
	for len(killed) < *kills {
		d.mu.Lock()
		seen := len(d.seen)
		d.mu.Unlock()
		// At moments spread over the whole flow, each at random.
		if seen < (*messages*len(killed)+rand.IntN(*messages))/(*kills+1) {
			select {
			case <-done:
			default:
				time.Sleep(time.Millisecond)
				continue
			}
		}
		l.Kill()
		d.settled(t)
		killed = append(killed, time.Now())
		l.start()
	}
	<-done

	dead := map[string]bool{}
	for {
		open := 0
		for name := range accepted {
			if !d.delivered(name) && !dead[name] {
				open++
			}
		}
		if open == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("%d of %d acknowledged messages are neither delivered nor in the dead letter queue", open, len(accepted))
		}
		for cursor := ""; ; {
			var page struct {
				Cursor   string
				Messages []struct{ Body string }
			}
			if err := l.call(ctx, http.MethodGet, "/v2/dlq?cursor="+cursor, nil, "", &page); err != nil {
				t.Fatal(err)
			}
			for _, m := range page.Messages {
				dead[m.Body] = true
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	twice := 0
	for name, rec := range d.seen {
		for id, times := range rec.delivered {
			for i := 1; i < len(times); i++ {
				twice++
				explained := false
				for _, at := range killed {
					explained = explained || times[i-1].Before(at) && at.Before(times[i])
				}
				if !explained {
					t.Errorf("%s (%s) is delivered twice without a crash in between: at %v, crashes at %v", id, name, times, killed)
				}
			}
		}
	}
	for i := 1; i < len(d.order); i++ {
		if d.order[i] < d.order[i-1] {
			t.Errorf("the queue delivers %d after %d", d.order[i], d.order[i-1])
		}
	}
	t.Logf("%d messages acknowledged, %d in the dead letter queue, %d delivered again after %d kills", len(accepted), len(dead), twice, len(killed))
}
