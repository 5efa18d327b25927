package redis_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/slow"
)

// However many commands wait, for however many keys: when nothing happens, that costs less than a request unit a second in all. A write of one of
// the keys is noticed within two seconds, also by an engine that nobody tells of it.
func TestWaitingCostsNextToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := slow.New(memoryStore(t), slow.Options{Latency: 5 * time.Millisecond})
		ds := patient(t, st, time.Second, 3)
		const waiters, queues = 500, 50
		replies := map[string]chan string{}
		for i := range waiters {
			q := fmt.Sprintf("q%d", i%queues)
			if replies[q] == nil {
				replies[q] = make(chan string, waiters)
			}
			d, db := ds[i%2], ds[i%2].database()
			ctx := redis.WithCaller(t.Context(), &redis.Caller{Patient: true, Waits: t.Context()}) // as on a connection
			go func() {
				var w resp.Writer
				if err := d.e.Do(ctx, db, redis.Access{}, []string{"BZPOPMIN", q, "0"}, &w); err == nil {
					replies[q] <- render(t, w.Buf)
				}
			}()
		}
		synctest.Wait()
		time.Sleep(5 * time.Minute)
		for range 2 { // long enough for what is done seldom
			st.Reset()
			time.Sleep(20 * time.Minute)
			c := st.Counts()
			if perSecond := (c.ReadUnits + c.WriteUnits) / (20 * 60); perSecond >= 1 {
				t.Errorf("%.2f request units a second: %+v", perSecond, c)
			} else {
				t.Logf("%.2f request units a second: %+v", perSecond, c)
			}
			for _, q := range []string{"q1", "q2", "q49"} {
				served := replies[q]
				start := time.Now()
				ds[2].cmd("zadd " + q + " 1 a 2 b")
				within(t, served)
				within(t, served)
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("%s: woken after %v", q, took)
				}
			}
			time.Sleep(5 * time.Minute)
		}
	})
}

// Only the keys that are waited for cost more to write, and only while all is quiet.
func TestOrdinaryWritesCostWhatTheyCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ds := patient(t, memoryStore(t), time.Second, 2)
		push := func(key string) int {
			ds[1].database() // the record is read apart
			return ds[1].usage("rpush", key, "a").Calls
		}
		if n := push("q"); n != 1 {
			t.Fatalf("%d calls", n)
		}
		ds[1].cmd("del q")
		reply := ds[0].later("blpop q 0")
		time.Sleep(30 * time.Second)
		if n := push("q"); n != 1 {
			t.Errorf("soon after something was found, %d calls", n)
		}
		within(t, reply)
		reply = ds[0].later("blpop q 0")
		time.Sleep(10 * time.Minute)
		if n := push("other"); n != 1 {
			t.Errorf("another key: %d calls", n)
		}
		if n := push("q"); n != 2 {
			t.Errorf("a key that is waited for: %d calls", n)
		}
		within(t, reply)
		time.Sleep(30 * time.Minute)
		if n := push("q"); n != 1 {
			t.Errorf("when nobody waits any more, %d calls", n)
		}
	})
}
