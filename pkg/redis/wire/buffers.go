package wire

import "sync"

// Memory of a connection. One that is idle holds none: it is taken from pools while something is read, carried out
// or sent. 10,000 clients mostly are idle.

const (
	tinyBuffer  = 512             // bytes of what a connection waits with that cannot wait without, as one by TLS
	smallBuffer = 4 << 10         // bytes of what most requests are read into
	largeBuffer = maxLine + 1<<10 // of those of clients that send much
	maxKept     = 64 << 10        // bytes of memory for replies that is kept for the next ones
)

// bufferPools are where connections take memory from.
type bufferPools struct {
	tiny, small, large sync.Pool // of *[]byte, for what is read
	replies            sync.Pool // of *replies
}

// replies are replies as the engine writes them, and as the client gets them.
type replies struct{ written, sent []byte }

// get takes memory of a size, which is one of the constants.
func (p *bufferPools) get(size int) *[]byte {
	if b, ok := p.of(size).Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, size)
	return &b
}

// put takes it back.
func (p *bufferPools) put(b *[]byte) { p.of(len(*b)).Put(b) }

func (p *bufferPools) of(size int) *sync.Pool {
	switch size {
	case tinyBuffer:
		return &p.tiny
	case smallBuffer:
		return &p.small
	}
	return &p.large
}

func (p *bufferPools) getReplies() *replies {
	if r, ok := p.replies.Get().(*replies); ok {
		return r
	}
	return new(replies)
}

// putReplies takes memory back. What is large is left to the garbage collector.
func (p *bufferPools) putReplies(r *replies) {
	r.written, r.sent = r.written[:0], r.sent[:0]
	if cap(r.written) > maxKept {
		r.written = nil
	}
	if cap(r.sent) > maxKept {
		r.sent = nil
	}
	p.replies.Put(r)
}
