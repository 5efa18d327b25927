package twoprocess

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Who is blocked on one server is woken by a write through the other, in the order in which they came, and by one that was started again.
// How long it takes is logged: servers tell each other, so it is a tenth of a second, not the two seconds of a look at the store.
func TestBlockedClientsAreWokenThroughTheOtherServer(t *testing.T) {
	p := startPair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	connect := func(server int) *redis.Client {
		t.Helper()
		options, err := redis.ParseURL(p.servers[server].Var("REDIS_URL"))
		if err != nil {
			t.Fatal(err)
		}
		options.ReadTimeout = -1
		c := redis.NewClient(options)
		t.Cleanup(func() { c.Close() })
		return c
	}
	clients := [2]*redis.Client{connect(0), connect(1)}
	var took []time.Duration
	// wakes blocks two clients on a server, and returns what each gets when somebody writes through the other.
	wakes := func(server int, block func(c *redis.Client) (string, error), write func(c *redis.Client) error) []string {
		t.Helper()
		replies := make([]chan string, 2)
		for i := range replies {
			replies[i] = make(chan string, 1)
			go func() {
				got, err := block(clients[server])
				if err != nil {
					got = err.Error()
				}
				replies[i] <- got
			}()
			for blocked := ""; blocked != fmt.Sprint(i+1); {
				info, err := clients[server].Info(ctx, "clients").Result()
				if err != nil {
					t.Fatal(err)
				}
				_, blocked, _ = strings.Cut(info, "blocked_clients:")
				blocked, _, _ = strings.Cut(blocked, "\r\n")
			}
		}
		began := time.Now()
		if err := write(clients[1-server]); err != nil {
			t.Fatal(err)
		}
		got := []string{<-replies[0], <-replies[1]}
		took = append(took, time.Since(began))
		return got
	}
	pop := func(c *redis.Client) (string, error) {
		got, err := c.BLPop(ctx, 0, "queue").Result()
		return strings.Join(got, " "), err
	}
	for round := range 20 {
		got := wakes(round%2, pop, func(c *redis.Client) error { return c.RPush(ctx, "queue", "a", "b").Err() })
		if !slices.Equal(got, []string{"queue a", "queue b"}) {
			t.Errorf("BLPOP: %q", got)
		}
	}
	got := wakes(0, func(c *redis.Client) (string, error) {
		m, err := c.BZPopMin(ctx, 0, "scores").Result()
		if err != nil {
			return "", err
		}
		return fmt.Sprint(m.Key, " ", m.Member, " ", m.Score), nil
	}, func(c *redis.Client) error {
		return c.ZAdd(ctx, "scores", redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2, Member: "b"}).Err()
	})
	if !slices.Equal(got, []string{"scores a 1", "scores b 2"}) {
		t.Errorf("BZPOPMIN: %q", got)
	}
	got = wakes(1, func(c *redis.Client) (string, error) {
		streams, err := c.XRead(ctx, &redis.XReadArgs{Streams: []string{"events", "$"}, Block: 0}).Result()
		return fmt.Sprint(streams), err
	}, func(c *redis.Client) error {
		return c.XAdd(ctx, &redis.XAddArgs{Stream: "events", ID: "1-1", Values: []string{"f", "v"}}).Err()
	})
	for _, one := range got { // both read it
		if !strings.HasPrefix(one, "[{events [{1-1 map[f:v]") {
			t.Errorf("XREAD: %q", got)
		}
	}
	p.servers[0].Kill()
	p.start(0)
	clients[0] = connect(0)
	for server := range 2 {
		got := wakes(server, pop, func(c *redis.Client) error { return c.RPush(ctx, "queue", "a", "b").Err() })
		if !slices.Equal(got, []string{"queue a", "queue b"}) {
			t.Errorf("BLPOP, after a restart: %q", got)
		}
	}
	slices.Sort(took)
	t.Logf("two clients were woken after %v, at most %v", took[len(took)/2], took[len(took)-1])
}
