package control_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/controltest"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// long is after all that deletion waits for.
const long = 10 * time.Minute

// fillRedis writes something of every kind that a database keeps.
func fillRedis(w *controltest.World, id string) {
	w.Helper()
	ctx := w.Context()
	db, err := w.Redis.Database(ctx, id)
	w.OK(err)
	do := func(args ...string) {
		w.Helper()
		var out resp.Writer
		w.OK(w.Redis.Do(ctx, db, redis.Access{}, args, &out))
		if text, failed := resp.ErrorText(out.Buf); failed {
			w.Fatalf("%v: %s", args, text)
		}
	}
	many := func(command, key string, each ...string) {
		args := []string{command, key}
		for n := range 200 {
			for _, e := range each {
				args = append(args, strings.ReplaceAll(e, "#", fmt.Sprint(n)+strings.Repeat("x", 30)))
			}
		}
		do(args...)
	}
	do("set", "string", "v", "ex", "3600")
	do("set", "large", strings.Repeat("x", 1<<20))
	many("sadd", "set", "#")
	many("hset", "hash", "#", "#")
	many("rpush", "list", "#")
	for n := range 100 {
		do("zadd", "zset", fmt.Sprint(n), fmt.Sprint(n)+strings.Repeat("x", 60))
		do("xadd", "stream", "*", "f", strings.Repeat("x", 100))
	}
	do("xgroup", "create", "stream", "g", "0")
	do("hexpire", "hash", "3600", "fields", "1", "0"+strings.Repeat("x", 30))
	do("eval", "return redis.call('get', KEYS[1])", "1", "string")
	// It returns when all instances know of it, by the clock.
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		do("function", "load", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
	}()
	for waiting := true; waiting; {
		select {
		case <-loaded:
			waiting = false
		case <-time.After(10 * time.Millisecond):
			w.Advance(time.Second)
		}
	}
	do("acl", "setuser", "u", "on", ">a-password-of-many-letters-1", "+@all", "~*")
	do("publish", "channel", "m")
}

// fillKafka writes topics, messages and groups.
func fillKafka(w *controltest.World, id string) {
	w.Helper()
	ctx := w.Context()
	c, err := w.Kafka.Cluster(ctx, id)
	w.OK(err)
	for _, name := range []string{"a", "b"} {
		_, err := w.Kafka.CreateTopic(ctx, c, name, kafka.TopicOptions{Partitions: 3})
		w.OK(err)
		results, err := w.Kafka.Produce(ctx, c, []kafka.NewMessage{{Topic: name, Value: []byte("v")}})
		w.OK(err)
		for _, r := range results {
			w.OK(r.Err)
		}
	}
	w.OK(w.Kafka.DeleteTopic(ctx, c, "b"))
}

// fillQStash publishes messages of every kind.
func fillQStash(w *controltest.World, id string) {
	w.Helper()
	ctx := w.Context()
	large := []byte(strings.Repeat("x", 10_000))
	const url = "https://example.com/"
	publish := func(o qstash.Options) {
		w.Helper()
		for _, out := range w.QStash.Publish(ctx, id, []qstash.Request{{Destination: url, Body: large, Options: o}}) {
			w.OK(out.Err)
		}
	}
	publish(qstash.Options{})
	publish(qstash.Options{Delay: time.Hour})
	publish(qstash.Options{Queue: "queue"})
	publish(qstash.Options{Flow: &qstash.Flow{Key: "flow", Parallelism: 1}})
	_, err := w.QStash.CreateSchedule(ctx, id, qstash.ScheduleRequest{Cron: "0 0 1 1 *", Destination: url, Body: large})
	w.OK(err)
}

func TestDeletingLeavesNothingBehind(t *testing.T) {
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			w := controltest.New(t)
			ctx := t.Context()
			kept := w.Create(w.Admin, p, "kept")
			before := map[string][]store.Key{}
			for name := range w.Tables {
				before[name] = w.Items(name)
			}
			res := w.Create(w.Admin, p, "r")
			for range 200 { // more than fit the product's record
				c, err := w.Control.Issue(ctx, w.Admin.ID, res.ID, control.CredentialOptions{Name: "c"})
				w.OK(err)
				w.OK(w.Control.Revoke(ctx, w.Admin.ID, res.ID, c.ID))
			}
			_, err := w.Control.Issue(ctx, w.Admin.ID, res.ID, control.CredentialOptions{Name: "c"})
			w.OK(err)
			map[control.Product]func(*controltest.World, string){control.Redis: fillRedis, control.Kafka: fillKafka, control.QStash: fillQStash}[p](w, res.ID)
			w.OK(w.Control.Delete(ctx, w.Admin.ID, res.ID))

			sweep := func() {
				_, err := w.Redis.Reclaim(ctx)
				w.OK(err)
				_, err = w.Kafka.Reclaim(ctx)
				w.OK(err)
				_, err = w.QStash.Sweep(ctx, w.Now())
				w.OK(err)
			}
			for range 3 {
				w.Advance(long)
				sweep()
			}
			w.Advance(2 * time.Hour) // when what had an expiry has expired
			sweep()
			for name := range w.Tables {
				had := map[store.Key]bool{}
				for _, k := range before[name] {
					had[k] = true
				}
				for _, k := range w.Items(name) {
					if strings.HasPrefix(k.Partition, "stream") {
						continue // the stream of all clusters, which ends by time
					}
					if !had[k] {
						t.Errorf("table %s still has %q", name, k)
					}
					delete(had, k)
				}
				for k := range had {
					t.Errorf("table %s has lost %q", name, k)
				}
			}
			_, err = w.Control.Resource(ctx, w.Admin.ID, kept.ID)
			w.OK(err)
		})
	}
}

func TestInterruptedCreationAndDeletionAreFinished(t *testing.T) {
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			w := controltest.New(t)
			ctx := t.Context()
			before := len(w.Items("control"))
			broken := w.Broken()
			if _, err := controltest.Create(ctx, broken, w.Admin, p, "r"); err == nil {
				t.Fatal("a resource was created without its product")
			}
			list, err := w.Control.Resources(ctx, w.Admin.ID)
			w.OK(err)
			if len(list) != 0 {
				t.Errorf("an unfinished resource is shown: %+v", list[0])
			}
			res := w.Create(w.Admin, p, "r")
			if err := broken.Delete(ctx, w.Admin.ID, res.ID); err == nil {
				t.Fatal("a resource was deleted without its product")
			}
			_, err = w.Control.Resource(ctx, w.Admin.ID, res.ID)
			w.Refused(err, control.NotFound)
			w.Advance(2 * time.Minute)
			_, err = w.Control.Resources(ctx, w.Admin.ID)
			w.OK(err)
			if after := len(w.Items("control")); after != before {
				t.Errorf("%d items are left", after-before)
			}
		})
	}
}
