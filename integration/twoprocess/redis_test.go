package twoprocess

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// transfers moves money between accounts by MULTI and by Lua, while others look at the sum.
type transfers struct {
	p     *pair
	looks int
}

const (
	accounts = 8
	balance  = 1000
)

func account(i int) string { return "account:" + strconv.Itoa(i) }

func (w *transfers) begin(ctx context.Context) {
	for i := range accounts {
		w.p.must(ctx, nil, "SET", account(i), balance)
	}
}

func (w *transfers) workers() []func(context.Context) {
	return []func(context.Context){w.move, w.move, w.look}
}

// move makes transfers. Whether one whose outcome is unknown has happened makes no difference.
func (w *transfers) move(stop context.Context) {
	const script = `local n = redis.call("DECRBY", KEYS[1], ARGV[1]); redis.call("INCRBY", KEYS[2], ARGV[1]); return n`
	for stop.Err() == nil {
		from, to, n := rand.IntN(accounts), rand.IntN(accounts), rand.IntN(10)
		var err error
		if rand.IntN(2) == 0 {
			err = w.p.redis(context.Background(), "/multi-exec", [][]any{
				{"DECRBY", account(from), n}, {"INCRBY", account(to), n},
			}, nil)
		} else {
			err = w.p.do(context.Background(), nil, "EVAL", script, 2, account(from), account(to), n)
		}
		w.p.history.add("transfer", "sum", "%d from %d to %d: %v", n, from, to, outcome(err))
		if err != nil && w.p.again(stop, err) != nil && stop.Err() == nil {
			w.p.t.Errorf("transfer: %v", err)
			return
		}
	}
}

func (w *transfers) look(stop context.Context) {
	for stop.Err() == nil {
		w.sum(context.Background())
	}
}

func (w *transfers) sum(ctx context.Context) {
	command := []any{"MGET"}
	for i := range accounts {
		command = append(command, account(i))
	}
	var all []string
	w.p.must(ctx, &all, command...)
	sum := 0
	for _, text := range all {
		n, err := strconv.Atoi(text)
		if err != nil {
			w.p.t.Errorf("a balance is %q", text)
		}
		sum += n
	}
	w.looks++
	if sum != accounts*balance {
		w.p.violated("sum", "the sum of all accounts is %d, not %d: %v", sum, accounts*balance, all)
	}
}

func (w *transfers) verify(ctx context.Context) {
	w.sum(ctx)
	w.p.t.Logf("the sum was right %d times", w.looks)
}

func outcome(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

// counters are counted by several clients.
type counters struct {
	p  *pair
	mu sync.Mutex
	of map[string]*count
}

type count struct{ acknowledged, unknown int }

func (w *counters) begin(context.Context) { w.of = map[string]*count{} }

func (w *counters) workers() []func(context.Context) {
	return []func(context.Context){w.count, w.count, w.count}
}

func (w *counters) count(stop context.Context) {
	for stop.Err() == nil {
		key := "counter:" + strconv.Itoa(rand.IntN(3))
		var n int
		err := w.p.do(context.Background(), &n, "INCR", key)
		w.p.history.add("counter", key, "INCR: %d %s", n, outcome(err))
		w.mu.Lock()
		c := w.of[key]
		if c == nil {
			c = &count{}
			w.of[key] = c
		}
		switch {
		case err == nil:
			c.acknowledged++
		case !errors.Is(err, errNotSent):
			c.unknown++
		}
		w.mu.Unlock()
		if err != nil && w.p.again(stop, err) != nil && stop.Err() == nil {
			w.p.t.Errorf("INCR: %v", err)
			return
		}
	}
}

func (w *counters) verify(ctx context.Context) {
	for key, c := range w.of {
		var text string
		w.p.must(ctx, &text, "GET", key)
		n, err := strconv.Atoi(text)
		if err != nil || n < c.acknowledged || n > c.acknowledged+c.unknown {
			w.p.violated(key, "%s is %q, with %d acknowledged and %d of unknown outcome", key, text, c.acknowledged, c.unknown)
		}
		w.p.t.Logf("%s is %d, with %d acknowledged and %d of unknown outcome", key, n, c.acknowledged, c.unknown)
	}
}

// locks are held by one client at a time, by SET NX and a script that deletes what is one's own.
type locks struct {
	p      *pair
	mu     sync.Mutex
	holder map[string]string
	held   int
}

const (
	lockers   = 4
	lockPause = 20 * time.Millisecond
)

func (w *locks) begin(context.Context) { w.holder = map[string]string{} }

func (w *locks) workers() []func(context.Context) {
	var all []func(context.Context)
	for i := range lockers {
		all = append(all, func(stop context.Context) { w.work(stop, "client "+strconv.Itoa(i)) })
	}
	return all
}

// work takes a lock and gives it back. A client has one token for all times: whatever has become of
// requests without an answer, a lock with this token is the client's.
func (w *locks) work(stop context.Context, token string) {
	const release = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`
	ctx := context.Background()
	for stop.Err() == nil {
		lock := "lock:" + strconv.Itoa(rand.IntN(2))
		var set, holder *string
		err := w.p.do(ctx, &set, "SET", lock, token, "NX")
		w.p.history.add(token, lock, "SET NX: %v %s", set != nil, outcome(err))
		if set == nil {
			w.p.must(ctx, &holder, "GET", lock)
			if holder == nil || *holder != token {
				wait(stop, rand.N(lockPause))
				continue
			}
		}
		w.take(lock, token)
		wait(ctx, rand.N(lockPause))
		w.give(lock, token)
		w.p.must(ctx, nil, "EVAL", release, 1, lock, token)
	}
}

func (w *locks) take(lock, token string) {
	w.mu.Lock()
	other := w.holder[lock]
	w.holder[lock] = token
	w.held++
	w.mu.Unlock()
	w.p.history.add(token, lock, "holds it")
	if other != "" {
		w.p.violated(lock, "%s is held by %s, and now by %s too", lock, other, token)
	}
}

func (w *locks) give(lock, token string) {
	w.p.history.add(token, lock, "gives it back")
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.holder, lock)
}

func (w *locks) verify(context.Context) { w.p.t.Logf("locks were held %d times", w.held) }

// jobs go through a list, and from there to the list of the worker who does them.
type jobs struct {
	p    *pair
	mu   sync.Mutex
	todo map[string]bool   // true: acknowledged
	done map[string]string // by whom
}

const jobWorkers = 3

func (w *jobs) begin(context.Context) { w.todo, w.done = map[string]bool{}, map[string]string{} }

func (w *jobs) workers() []func(context.Context) {
	all := []func(context.Context){
		func(stop context.Context) { w.produce(stop, "a") },
		func(stop context.Context) { w.produce(stop, "b") },
	}
	for i := range jobWorkers {
		all = append(all, func(stop context.Context) {
			for stop.Err() == nil {
				if !w.work(context.Background(), i) {
					wait(stop, lockPause)
				}
			}
		})
	}
	return all
}

func (w *jobs) produce(stop context.Context, producer string) {
	for i := 0; stop.Err() == nil; i++ {
		job := fmt.Sprint(producer, i)
		w.mu.Lock()
		w.todo[job] = false
		w.mu.Unlock()
		err := w.p.do(context.Background(), nil, "LPUSH", "todo", job)
		w.p.history.add("producer "+producer, job, "LPUSH: %s", outcome(err))
		if err == nil {
			w.mu.Lock()
			w.todo[job] = true
			w.mu.Unlock()
		} else if w.p.again(stop, err) != nil && stop.Err() == nil {
			w.p.t.Errorf("LPUSH: %v", err)
		}
		wait(stop, lockPause)
	}
}

// work does what is in the worker's own list: the job that it takes now, or one that it has taken
// without learning of it. It reports whether there was any.
func (w *jobs) work(ctx context.Context, worker int) (some bool) {
	own := "doing:" + strconv.Itoa(worker)
	var taken *string
	err := w.p.do(ctx, &taken, "LMOVE", "todo", own, "RIGHT", "LEFT")
	if err != nil && !errors.Is(err, errNotSent) {
		w.p.history.add(own, "", "LMOVE: %s", outcome(err))
	}
	var list []string
	w.p.must(ctx, &list, "LRANGE", own, 0, -1)
	for _, job := range list {
		w.mu.Lock()
		_, known := w.todo[job]
		by, again := w.done[job]
		w.done[job] = own
		w.mu.Unlock()
		w.p.history.add(own, job, "does it")
		if !known {
			w.p.violated(job, "nobody has made job %q, which is in %s", job, own)
		}
		if again {
			w.p.violated(job, "job %q is done by %s, and was by %s", job, own, by)
		}
		w.p.must(ctx, nil, "LREM", own, 0, job)
		w.p.history.add(own, job, "is removed")
	}
	return len(list) > 0
}

func (w *jobs) verify(ctx context.Context) {
	for left := 1; left > 0; {
		for i := range jobWorkers {
			for w.work(ctx, i) {
			}
		}
		w.p.must(ctx, &left, "LLEN", "todo")
	}
	acknowledged := 0
	for job, promised := range w.todo {
		if !promised {
			continue
		}
		acknowledged++
		if w.done[job] == "" {
			w.p.violated(job, "job %q was acknowledged, and is lost", job)
		}
	}
	w.p.t.Logf("%d jobs were acknowledged, %d done", acknowledged, len(w.done))
}
