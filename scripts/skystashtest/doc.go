// Package skystashtest runs all of Skystash inside a test: Redis over REST and by its own protocol, Kafka over REST and
// by its own protocol, QStash with workflows, the console and the Developer API, in memory, in the test's process.
//
//	import "github.com/skystash/skystash/scripts/skystashtest"
//
//	srv := skystashtest.Run(t)
//	opts, err := redis.ParseURL(srv.RedisURL())   // of go-redis; or any client of Upstash, with srv.URL() and srv.Token()
//
// It is the server of "skystash dev", not a mock: what passes here passes there. A server takes some 50 ms to start; tests may
// share one, and tests that run in parallel may have one each.
//
// # Time
//
// The server's clock is the machine's until [Server.Advance] moves it. Keys expire by it at once, and QStash delivers what
// has become due: delayed messages, retries, schedules. Clients that are blocked, such as in BLPOP, and requests under way wait by
// the machine's clock. A schedule runs if the clock is moved to its time or at most a few minutes further: what is skipped
// counts as missed, as it does for a server that was down, so move the clock from time to time of it. QStash's signatures have the server's time in them: verify them with [Server.Now] after moving the clock.
package skystashtest
