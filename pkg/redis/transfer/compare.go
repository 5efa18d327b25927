package transfer

import (
	"context"
	"hash/fnv"
	"strconv"
	"sync"
	"time"
)

// Compare is a [Target] that writes nothing: it skips the entries that a server has not, or not with the same value.
type Compare struct {
	Peer Peer
	Now  func() time.Time
}

// Write implements Target. What is about to expire, or has, is not compared.
func (c *Compare) Write(ctx context.Context, entries []Entry) (Result, error) {
	var res Result
	r := Reader{Peer: c.Peer, Now: c.Now}
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	b, err := r.Read(ctx, keys)
	if err != nil {
		return res, err
	}
	there := make(map[string]Entry, len(b.Entries))
	for _, e := range b.Entries {
		there[e.Key] = e
	}
	soon := c.Now().UnixMilli()
	for _, e := range entries {
		other, ok := there[e.Key]
		if !ok && e.ExpireAt > 0 && e.ExpireAt <= soon {
			continue
		}
		if why := difference(e, other, ok); why != "" {
			res.Skipped = append(res.Skipped, Skipped{Key: e.Key, Why: why})
		} else {
			res.There++
		}
	}
	res.Skipped = append(res.Skipped, b.Skipped...)
	return res, nil
}

// difference says in words how two entries differ, or "".
func difference(e, other Entry, ok bool) string {
	if !ok {
		return "is not in the target"
	}
	same, err := Same(e, other)
	switch {
	case err != nil:
		return "cannot be compared: " + err.Error()
	case same:
		return ""
	case e.ExpireAt != other.ExpireAt:
		return "expires at " + strconv.FormatInt(e.ExpireAt, 10) + " in the source and at " + strconv.FormatInt(other.ExpireAt, 10) + " in the target (0: never)"
	}
	return "has another value in the target"
}

// Follow is a [Target] for passes over a source that goes on changing: it writes what is new since the last pass.
// Its memory grows with the keys, by about 100 bytes for each.
type Follow struct {
	To *Restore
	// Shadow compares every so manieth key that has not changed with the target; 0: none.
	Shadow int

	mu      sync.Mutex
	known   map[string]version
	pass    int
	changed int
	same    int
	strange []Skipped
}

type version struct {
	hash uint64
	pass int
}

// Pass is what one pass over the source came to.
type Pass struct {
	Changed int       // written, because new or changed
	Deleted int       // deleted, because they are not in the source any more
	Shadow  []Skipped // keys that have not changed in the source and differ in the target
}

// Write implements Target.
func (f *Follow) Write(ctx context.Context, entries []Entry) (Result, error) {
	var write, compare []Entry
	f.mu.Lock()
	if f.known == nil {
		f.known = map[string]version{}
	}
	for _, e := range entries {
		v := version{hashOf(e), f.pass}
		old, ok := f.known[e.Key]
		f.known[e.Key] = v
		if ok && old.hash == v.hash {
			if f.same++; f.Shadow > 0 && f.same%f.Shadow == 0 {
				compare = append(compare, e)
			}
			continue
		}
		f.changed++
		write = append(write, e)
	}
	f.mu.Unlock()
	res, err := f.To.Write(ctx, write)
	if err != nil || len(compare) == 0 {
		return res, err
	}
	compared, err := (&Compare{Peer: f.To.Peer, Now: f.To.Now}).Write(ctx, compare)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strange = append(f.strange, compared.Skipped...)
	return res, err
}

func hashOf(e Entry) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendInt(nil, e.ExpireAt, 10))
	_, _ = h.Write([]byte(e.payload()))
	return h.Sum64()
}

// EndPass deletes from the target what this Follow has written and the source has no more, and says what the
// pass came to. It is to be called after a whole pass.
func (f *Follow) EndPass(ctx context.Context) (Pass, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := Pass{Changed: f.changed, Shadow: f.strange}
	var gone []string
	for key, v := range f.known {
		if v.pass != f.pass {
			gone = append(gone, key)
		}
	}
	for i := 0; i < len(gone); i += pieceElements {
		some := gone[i:min(i+pieceElements, len(gone))]
		if _, err := one(ctx, f.To.Peer, append([]string{"DEL"}, some...)...); err != nil {
			return p, err
		}
		for _, key := range some {
			delete(f.known, key)
		}
		p.Deleted += len(some)
	}
	f.pass++
	f.changed, f.strange = 0, nil
	return p, nil
}
