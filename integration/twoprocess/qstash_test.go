package twoprocess

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// queues are queues of QStash whose parallelism is one. A client sends each message until it is
// accepted, and then the next; the destination fails a fifth of them at the first attempt.
type queues struct {
	p           *pair
	destination *httptest.Server

	mu       sync.Mutex
	accepted map[string]bool
	attempts map[string]int
	running  map[string]string // the message that a queue is delivering
	last     map[string]int    // number of the message that a queue has delivered last for the first time
	first    map[string]bool   // delivered
}

const (
	queueCount = 3
	takes      = 10 * time.Millisecond // what a delivery takes
)

func newQueues(p *pair) *queues {
	w := &queues{
		p: p, accepted: map[string]bool{}, attempts: map[string]int{}, running: map[string]string{},
		last: map[string]int{}, first: map[string]bool{},
	}
	w.destination = httptest.NewServer(http.HandlerFunc(w.receive))
	p.t.Cleanup(w.destination.Close)
	return w
}

func (w *queues) begin(context.Context) {}

func (w *queues) workers() []func(context.Context) {
	var all []func(context.Context)
	for i := range queueCount {
		all = append(all, func(stop context.Context) { w.send(stop, "queue-"+strconv.Itoa(i)) })
	}
	return all
}

func (w *queues) send(stop context.Context, queue string) {
	// The lease of an attempt is five seconds longer than its timeout, see lease.
	header := map[string]string{"Upstash-Retries": "5", "Upstash-Retry-Delay": "30", "Upstash-Timeout": "5s"}
	for i := 0; stop.Err() == nil; i++ {
		name := fmt.Sprintf("%s/%d", queue, i)
		for {
			err := w.p.call(context.Background(), "QSTASH_URL", "/v2/enqueue/"+queue+"/"+w.destination.URL, bearer("QSTASH_TOKEN"), header, []byte(name), nil)
			w.p.history.add("client", queue, "%s: %s", name, outcome(err))
			if err == nil {
				w.mu.Lock()
				w.accepted[name] = true
				w.mu.Unlock()
				break
			}
			if w.p.again(stop, err) != nil {
				if stop.Err() == nil {
					w.p.t.Errorf("enqueue: %v", err)
				}
				return
			}
		}
		wait(stop, 50*time.Millisecond)
	}
}

// receive is the destination.
func (w *queues) receive(answer http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name := string(body)
	queue, _, _ := strings.Cut(name, "/")
	id := r.Header.Get("Upstash-Message-Id")
	w.mu.Lock()
	other := w.running[queue]
	w.running[queue] = name + " " + id
	w.mu.Unlock()
	w.p.history.add("destination", queue, "%s %s arrives", name, id)
	if other != "" {
		w.p.violated(queue, "%s delivers %s while it delivers %s", queue, name, other)
	}
	wait(r.Context(), takes) // it ends with the connection: with the life of who sends it
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, queue)
	if r.Context().Err() != nil {
		w.p.history.add("destination", queue, "%s %s is cut off", name, id)
		return
	}
	w.attempts[name]++
	if h := fnv.New32a(); w.attempts[name] == 1 {
		h.Write(body)
		if h.Sum32()%5 == 0 {
			w.p.history.add("destination", queue, "%s %s fails", name, id)
			answer.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	w.p.history.add("destination", queue, "%s %s is delivered", name, id)
	if w.first[name] {
		return // again, since an answer was lost
	}
	w.first[name] = true
	_, text, _ := strings.Cut(name, "/")
	number, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	if last, any := w.last[queue]; any && number < last {
		w.p.violated(queue, "%s delivers %d after %d", queue, number, last)
	}
	w.last[queue] = number
}

// open is a message that is accepted and not delivered, "" if there is none.
func (w *queues) open() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.accepted {
		if !w.first[name] {
			return name
		}
	}
	return ""
}

// lease is how long a message is left to the process that has begun to deliver it.
const lease = 10 * time.Second

// verify waits until everything is delivered. What a killed server was at has to wait for the end of its
// lease, and for a server that looks for what is due: at its start, or after a minute.
func (w *queues) verify(ctx context.Context) {
	for looked := time.Now(); w.open() != ""; {
		if !wait(ctx, 50*time.Millisecond) {
			queue, _, _ := strings.Cut(w.open(), "/")
			w.p.violated(queue, "%s was accepted, and is not delivered", w.open())
			return
		}
		if time.Since(looked) > lease {
			w.p.restart()
			looked = time.Now()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	again := 0
	for _, n := range w.attempts {
		if n > 1 {
			again++
		}
	}
	w.p.t.Logf("%d messages were accepted, all of them delivered; %d in more than one attempt", len(w.accepted), again)
}
