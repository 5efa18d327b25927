package differential

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

func TestEmbedded(t *testing.T) {
	s, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	compareFamilies(t, newEngines(t, s), 1500)
}

func TestDynamo(t *testing.T) {
	compareFamilies(t, newEngines(t, dynamolocal.Open(t)), 250)
}

// recordTTL is short because each FLUSHALL waits for it.
const recordTTL = 20 * time.Millisecond

// engines are two engines over one store that take turns, so that nothing can
// rest on what one of them remembers.
type engines struct {
	ctx    context.Context
	all    [2]*redis.Engine
	turn   int
	resets int
	id     string
	buf    resp.Writer
}

func newEngines(t testing.TB, s store.Store) *engines {
	t.Helper()
	e := &engines{ctx: t.Context()}
	for i := range e.all {
		e.all[i] = redis.New(redis.Config{Store: s, RecordTTL: recordTTL})
	}
	return e
}

// reset goes on with another database.
func (e *engines) reset() error {
	e.resets++
	e.id = fmt.Sprintf("db%d", e.resets)
	_, err := e.all[0].CreateDatabase(e.ctx, redis.DatabaseOptions{ID: e.id, Slots: 1 << (e.resets % 4)})
	return err
}

func (e *engines) next() (*redis.Engine, *redis.Database, error) {
	e.turn++
	engine := e.all[e.turn%len(e.all)]
	db, err := engine.Database(e.ctx, e.id)
	e.buf.Reset()
	return engine, db, err
}

// replies reads n replies from the buffer in the form of RESP2.
func (e *engines) replies(n int) ([]reply, error) {
	rest := e.buf.Buf
	var resp2 []byte
	for len(rest) > 0 {
		one, after, err := resp.Cut(rest)
		if err != nil {
			return nil, err
		}
		if resp2, err = resp.AppendRESP2(resp2, one); err != nil {
			return nil, err
		}
		rest = after
	}
	in := bufio.NewReader(bytes.NewReader(resp2))
	out := make([]reply, n)
	for i := range out {
		var err error
		if out[i], err = readReply(in); err != nil {
			return nil, fmt.Errorf("reply %d of %d: %w", i+1, n, err)
		}
	}
	if in.Buffered() > 0 {
		return nil, fmt.Errorf("more than %d replies", n)
	}
	return out, nil
}

func (e *engines) do(args ...string) (reply, error) {
	engine, db, err := e.next()
	if err != nil {
		return reply{}, err
	}
	if err := engine.Do(e.ctx, db, redis.Access{}, args, &e.buf); err != nil {
		return reply{}, err
	}
	rs, err := e.replies(1)
	if err != nil {
		return reply{}, err
	}
	return rs[0], nil
}

func (e *engines) pipeline(cmds [][]string) ([]reply, error) {
	engine, db, err := e.next()
	if err != nil {
		return nil, err
	}
	engine.Pipeline(e.ctx, db, redis.Access{}, cmds, &e.buf)
	return e.replies(len(cmds))
}

func (e *engines) multi(cmds [][]string) (reply, error) {
	engine, db, err := e.next()
	if err != nil {
		return reply{}, err
	}
	err = engine.Multi(e.ctx, db, redis.Access{}, cmds, &e.buf)
	var refusal redis.Error
	switch {
	case errors.As(err, &refusal):
		return reply{kind: '-', text: refusal.Error()}, nil
	case err != nil:
		return reply{}, err
	}
	rs, err := e.replies(len(cmds))
	return reply{kind: '*', elems: rs}, err
}
