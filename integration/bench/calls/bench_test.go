package calls

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/token"
)

// tracesGone is longer than a key's last writes leave traces in it.
const tracesGone = time.Minute

// bench is an engine over DynamoDB Local whose requests are watched.
type bench struct {
	t       *testing.T
	engine  *redis.Engine
	handler *rest.Handler
	store   store.Store
	signer  *token.Signer
	public  ed25519.PublicKey // that the signer's tokens are checked with
	wire    *wire
	clock   *clock
	table   string
	made    int // databases
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, wire: &wire{}, clock: newClock()}
	b.table = dynamolocal.Table(t, dynamolocal.Client(t))
	st := dynamo.New(dynamolocal.Client(t, dynamolocal.WithTransport(dynamolocal.Reporting(b.wire.see))), b.table)
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	b.store = st
	// Without a RecordTTL, a database's record once read stays: the steady state.
	b.engine = redis.New(redis.Config{Store: st, Now: b.clock.now, Logger: log, Random: rand.NewPCG(1, 2).Uint64})
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if b.signer, err = token.NewSigner(token.SignerConfig{Key: key, Now: b.clock.now}); err != nil {
		t.Fatal(err)
	}
	b.public = publicOf(t, key)
	verifier, err := token.NewVerifier(token.VerifierConfig{Now: b.clock.now, Keys: []ed25519.PublicKey{b.public}})
	if err != nil {
		t.Fatal(err)
	}
	b.handler = rest.New(rest.Config{Engine: b.engine, Verifier: verifier, Now: b.clock.now, Logger: log})
	return b
}

// database makes an empty database, so that nothing measured meets what was there before.
func (b *bench) database() *redis.Database {
	b.t.Helper()
	b.made++
	db, err := b.engine.CreateDatabase(b.t.Context(), redis.DatabaseOptions{ID: fmt.Sprintf("bench%04d", b.made)})
	if err != nil {
		b.t.Fatal(err)
	}
	return db
}

// do runs a command and returns its reply, which is not an error.
func (b *bench) do(ctx context.Context, db *redis.Database, args ...string) (any, error) {
	var w resp.Writer
	db, err := b.engine.Database(ctx, db.ID)
	if err != nil {
		return nil, err
	}
	if err := b.engine.Do(ctx, db, redis.Access{}, args, &w); err != nil {
		return nil, fmt.Errorf("%.80q: %w", args, err)
	}
	reply, err := resp.Decode(w.Buf)
	if refusal, is := reply.(resp.Error); is {
		return nil, fmt.Errorf("%.80q: %s", args, refusal)
	}
	return reply, err
}

// prepare runs commands that are not measured and lets their traces go.
func (b *bench) prepare(db *redis.Database, lines []string) {
	b.t.Helper()
	for _, line := range lines {
		if _, err := b.do(b.t.Context(), db, split(line)...); err != nil {
			b.t.Fatal(err)
		}
	}
	b.clock.advance(tracesGone)
}

// cost is what one command, or one request over HTTP, made of requests to DynamoDB.
type cost struct {
	requests []request
	reads    float64 // units
	writes   float64
}

func (c cost) calls() int { return len(c.requests) }

// measure runs what is to be measured, and lets its traces go.
func (b *bench) measure(name string, run func(ctx context.Context) error) cost {
	b.t.Helper()
	c := b.measureNow(name, run)
	b.clock.advance(tracesGone)
	return c
}

// measureNow runs what is to be measured. What the store's meter says and what
// went over the wire must agree.
func (b *bench) measureNow(name string, run func(ctx context.Context) error) cost {
	b.t.Helper()
	b.wire.take()
	var meter store.Meter
	if err := run(store.WithMeter(b.t.Context(), &meter)); err != nil {
		b.t.Errorf("%s: %v", name, err)
	}
	c := cost{requests: b.wire.take()}
	for _, r := range c.requests {
		c.reads += r.reads
		c.writes += r.writes
	}
	if u := meter.Total(); u.Calls != c.calls() || u.ReadUnits != c.reads || u.WriteUnits != c.writes {
		b.t.Errorf("%s: the meter says %d calls, %v read and %v write units; on the wire were %d, %v and %v",
			name, u.Calls, u.ReadUnits, u.WriteUnits, c.calls(), c.reads, c.writes)
	}
	return c
}

// command measures one command. One that is refused must say so with the word given.
func (b *bench) command(db *redis.Database, args []string, refusal string) cost {
	b.t.Helper()
	return b.measure(fmt.Sprintf("%.80q", args), func(ctx context.Context) error {
		_, err := b.do(ctx, db, args...)
		switch {
		case refusal == "":
			return err
		case err == nil || !strings.Contains(err.Error(), refusal):
			return fmt.Errorf("refused with %v, want %q", err, refusal)
		}
		return nil
	})
}

// cost measures a command; one that starts at a random place, several times.
func (b *bench) cost(db *redis.Database, args []string, random bool, refusal string) cost {
	b.t.Helper()
	if random {
		return b.median(db, args)
	}
	return b.command(db, args, refusal)
}

// randomRuns is how many times a command that starts at a random place is run.
// The last place of all takes it another query; it is as good as never the median.
const randomRuns = 5

// median measures a command several times.
func (b *bench) median(db *redis.Database, args []string) cost {
	b.t.Helper()
	costs := make([]cost, randomRuns)
	for i := range costs {
		costs[i] = b.command(db, args, "")
	}
	slices.SortStableFunc(costs, func(x, y cost) int { return x.calls() - y.calls() })
	return costs[randomRuns/2]
}

// post measures one HTTP request with several commands, all of which succeed.
func (b *bench) post(db *redis.Database, path string, lines []string) cost {
	b.t.Helper()
	bearer := b.bearer(db)
	return b.measure(path, func(ctx context.Context) error { return b.send(ctx, b.handler, bearer, path, lines) })
}
