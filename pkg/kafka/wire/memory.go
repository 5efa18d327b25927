package wire

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// What requests may take, in bytes. Whoever needs more than is left waits, and is not read from.
const (
	// requestMemory is what the requests of all connections take at once, as they come. An account may take half of it, and
	// a connection, which is read ahead, no more than its largest request.
	requestMemory  = 256 << 20
	accountRequest = requestMemory / 2
	connRequest    = largeFrame

	// decodeMemory is what decoding them takes. Nobody waits for it who has not read a whole request. The share of an account
	// has room for its largest request, and two accounts leave some to others. Strangers have one share together: a failed
	// authentication takes a second.
	decodeMemory   = 256 << 20
	accountDecode  = 96 << 20
	strangerDecode = 32 << 20
)

// share is what an account may take of the process's memory. Its clusters, connections and credentials have one together.
type share struct {
	arriving *semaphore.Weighted // accountRequest; nil: what arrives is not counted
	decoding *semaphore.Weighted
}

// shareOf is an account's share. A cluster that belongs to nobody has one of its own.
func (s *Server) shareOf(account, cluster string) *share {
	key := "account " + account
	if account == "" {
		key = "cluster " + cluster
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shares[key] == nil {
		s.shares[key] = &share{arriving: semaphore.NewWeighted(accountRequest), decoding: semaphore.NewWeighted(accountDecode)}
	}
	return s.shares[key]
}

// arrive takes the memory that a request needs as it comes. What is whose own is taken first: whoever waits for it holds
// nothing that others wait for.
func (s *Server) arrive(ctx context.Context, f *frame, size int64) error {
	if f.own.arriving == nil {
		return nil
	}
	return acquire(ctx, size, f.conn, f.own.arriving, s.memory, &f.arrived)
}

// charge takes the memory that decoding a request needs.
func (s *Server) charge(ctx context.Context, f *frame, cost int64) error {
	return acquire(ctx, cost, nil, f.own.decoding, s.decoding, &f.decoded)
}

// acquire takes n of a connection's, an account's and the process's memory, or of none of them.
func acquire(ctx context.Context, n int64, conn, account, process *semaphore.Weighted, taken *int64) error {
	if conn != nil {
		if err := conn.Acquire(ctx, n); err != nil {
			return err
		}
	}
	if err := account.Acquire(ctx, n); err != nil {
		free(n, conn)
		return err
	}
	if err := process.Acquire(ctx, n); err != nil {
		free(n, account, conn)
		return err
	}
	*taken = n
	return nil
}

// free gives n back to each that is there.
func free(n int64, of ...*semaphore.Weighted) {
	for _, s := range of {
		if s != nil {
			s.Release(n)
		}
	}
}

// release gives back what a request has taken.
func (s *Server) release(f *frame) {
	if f.arrived > 0 {
		free(f.arrived, s.memory, f.own.arriving, f.conn)
	}
	if f.decoded > 0 {
		free(f.decoded, s.decoding, f.own.decoding)
	}
	f.arrived, f.decoded = 0, 0
}
