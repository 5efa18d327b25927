package edge

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// shareSize is how many bytes the large bodies of one owner have together that are read or worked on at a time. What
	// is made of a body while it is read takes several times its bytes.
	shareSize = 32 << 20
	// smallBody is how many bytes a body has at most that is not counted.
	smallBody = 64 << 10
	// fetched is how many bytes are read of a body before it has a share: a client that sends slowly holds up nobody.
	fetched = 1 << 20
)

// Shares keeps the large bodies of an owner, which is an account or a resource, from taking all memory and all processors: a few
// compressed bytes may stand for very many. A body waits while those of the same owner have its share already, and never for
// those of others. One that is larger than a share is alone. The zero Shares is ready. It is safe for concurrent use.
type Shares struct {
	mu     sync.Mutex
	owners map[string]*ownShare // those with bodies that have a part of it or wait
}

type ownShare struct {
	room  *semaphore.Weighted
	users int
}

// ReadTo is Body.ReadTo for a body of an owner, once there is room for it. leave, which is never nil, is called when the
// body is not needed any more. The error is also the context's.
func (s *Shares) ReadTo(ctx context.Context, owner string, b *Body, to *bytes.Buffer, limit, drain int64) (leave func(), err error) {
	size := min(b.Length, limit)
	if b.Length < 0 || b.Compressed() {
		size = limit
	}
	if b.Reader == nil || size <= smallBody {
		return func() {}, b.ReadTo(to, limit, drain)
	}
	if 0 <= b.Length && b.Length <= fetched {
		var sent bytes.Buffer
		if _, err := sent.ReadFrom(io.LimitReader(b.Reader, b.Length)); err != nil {
			return func() {}, ErrUnreadable
		}
		b.Reader = &sent
	}
	leave, err = s.enter(ctx, owner, min(size, shareSize))
	if err != nil {
		return leave, err
	}
	return leave, b.ReadTo(to, limit, drain)
}

// Compressed reports whether the body was sent compressed, or in an encoding that is refused.
func (b *Body) Compressed() bool {
	return b.Encoding != "" && !strings.EqualFold(b.Encoding, "identity")
}

func (s *Shares) enter(ctx context.Context, owner string, size int64) (leave func(), err error) {
	s.mu.Lock()
	own := s.owners[owner]
	if own == nil {
		if s.owners == nil {
			s.owners = map[string]*ownShare{}
		}
		own = &ownShare{room: semaphore.NewWeighted(shareSize)}
		s.owners[owner] = own
	}
	own.users++
	s.mu.Unlock()
	forget := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(s.owners, owner)
		}
	}
	if err := own.room.Acquire(ctx, size); err != nil {
		forget()
		return func() {}, err
	}
	return func() { own.room.Release(size); forget() }, nil
}
