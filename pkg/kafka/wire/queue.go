package wire

import "sync"

// readAhead is how many requests of a connection are read before they are served.
const readAhead = 5

// queue serves requests in order while more of them are read. A goroutine does that as long as there are any: a connection
// without such requests has only the one that reads.
type queue struct {
	c      *conn
	room   chan struct{} // has an element for each request that waits
	worker sync.WaitGroup

	mu      sync.Mutex
	waiting []*frame
	busy    bool  // the goroutine runs
	failed  error // of the first request that has failed; of the goroutine while it runs
}

func newQueue(c *conn) *queue { return &queue{c: c, room: make(chan struct{}, readAhead)} }

// put adds a request, when there is room. The error means that the connection has ended.
func (q *queue) put(f *frame) error {
	select {
	case q.room <- struct{}{}:
	case <-q.c.Life.Done():
		q.c.s.release(f)
		return q.c.Life.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	if !q.busy {
		q.busy = true
		q.worker.Go(q.serve)
	}
	return nil
}

// isIdle reports whether all requests have been answered.
func (q *queue) isIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.busy
}

// serve serves requests until none is left. When one fails, the connection is closed, and the others are dropped.
func (q *queue) serve() {
	for f := q.next(); f != nil; f = q.next() {
		if q.failed == nil {
			if q.failed = q.c.serveOne(f); q.failed != nil {
				q.c.Close()
			}
		}
		q.c.s.release(f)
	}
}

// next takes a request. If there is none, the goroutine is to end: nil.
func (q *queue) next() *frame {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.busy = false
		return nil
	}
	f := q.waiting[0]
	q.waiting = append(q.waiting[:0], q.waiting[1:]...)
	<-q.room
	return f
}

// end waits until all requests are served, and returns the error of the first that has failed.
func (q *queue) end() error {
	q.worker.Wait()
	return q.failed
}
