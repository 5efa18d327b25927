// Package fairness measures how long a GET takes on one database of a local server while 16 connections run one of
// the worst commands on another, and requests to all three products while another account attacks Kafka and QStash. It has
// nothing but benchmarks, which write FAIRNESS.md and FAIRNESSPRODUCTS.md with -update.
package fairness

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
)

var (
	update  = flag.Bool("update", false, "write FAIRNESS.md anew")
	seconds = flag.Int("seconds", 6, "`seconds` that each attack takes")
)

const (
	connections = 16                   // that attack
	pause       = 4 * time.Millisecond // between two GETs
)

// attack is a request that is made in a loop.
type attack struct {
	name string
	path string // of the API
	body any
}

func times(n int, args ...string) []string { return slices.Repeat(args, n) }

func words(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.FormatInt(int64(i), 36)
	}
	return out
}

func eval(source string) []string { return []string{"EVAL", source, "0"} }

// attacks are requests that pkg/redis/WORST.md has among the dearest, one or two of each kind, and those that take
// the server most before and after the engine: large bodies and large replies.
func attacks() []attack {
	long := "local s = string.rep('x', 10000000) "
	return []attack{
		{"nothing", "", nil},
		{"EVAL: a loop", "", eval("while true do end")},
		{"EVAL: tables", "", eval("while true do local t = {} for i = 1, 1000 do t[i] = {} end end")},
		{"EVAL: SHA-1 of 10 MB", "", eval(long + "while true do redis.sha1hex(s) end")},
		{"EVAL: strings of 10 MB", "", eval(long + "while true do local u = s:upper() end")},
		{"EVAL: cjson.decode", "", eval(`local s = '[' .. string.rep('[],', 100000) .. '0]' while true do cjson.decode(s) end`)},
		{"EVAL: LRANGE of 50,000", "", eval("for i = 1, 1000 do redis.call('lrange', 'l', 0, -1) end")},
		{"EVAL: BITCOUNT of 100 MB", "", eval("for i = 1, 1000 do redis.call('bitcount', 'bk') end")},
		{"BITOP XOR of 100 MB", "", append([]string{"BITOP", "XOR", "made-by-bitop"}, times(1000, "bk")...)},
		{"SETRANGE of 100 MB", "", []string{"SETRANGE", "made-by-setrange", "100000000", "x"}},
		{"GETRANGE of 100 MB", "", []string{"GETRANGE", "bk", "50000000", "50000100"}},
		{"ZUNION of 100,000 sets", "", append([]string{"ZUNION", "100000"}, times(100_000, "zin")...)},
		{"SUNIONSTORE of 50,000", "", []string{"SUNIONSTORE", "made-by-sunionstore", "u", "v"}},
		{"SORT of 50,000", "", []string{"SORT", "l", "ALPHA"}},
		{"EXISTS of 100,000", "", append([]string{"EXISTS"}, words(100_000)...)},
		{"SADD of 100,000", "", append([]string{"SADD", "made-by-sadd"}, words(100_000)...)},
		{"HGETALL of 50,000", "", []string{"HGETALL", "h"}},
		{"GET of 9 MB", "", []string{"GET", "s9m"}},
		{"SET of 1 MB", "", []string{"SET", "made-by-set", strings.Repeat("x", 1_000_000)}},
		{"JSON.GET of 800 KB", "", []string{"JSON.GET", "j", "$..x"}},
		{"KEYS with a long pattern", "", []string{"KEYS", strings.Repeat("*a", 1000)}},
		{"pipeline of 40,000 INCR", "/pipeline", slices.Repeat([][]string{{"INCR", "n"}}, 40_000)},
		{"pipeline of 40,000 GET", "/pipeline", slices.Repeat([][]string{{"GET", "n"}}, 40_000)},
		{"pipeline of 50,000 unknown commands", "/pipeline", slices.Repeat([][]string{{"NOSUCH"}}, 50_000)},
		{"transaction of 40,000 INCR", "/multi-exec", slices.Repeat([][]string{{"INCR", "n"}}, 40_000)},
	}
}

// prepare fills the attacker's database.
func (d *database) prepare(b *testing.B) {
	d.must(b, "SETRANGE", "bk", "104857000", "x")
	d.must(b, append([]string{"RPUSH", "l"}, words(50_000)...)...)
	d.must(b, append([]string{"SADD", "u"}, words(50_000)...)...)
	d.must(b, append([]string{"SADD", "v"}, words(60_000)[10_000:]...)...)
	var pairs, fields, in []string
	for i, w := range words(50_000) {
		pairs, fields = append(pairs, strconv.Itoa(i), w), append(fields, w, "v")
		if i < 200 {
			in = append(in, strconv.Itoa(i), w)
		}
	}
	d.must(b, append([]string{"ZADD", "z"}, pairs...)...)
	d.must(b, append([]string{"ZADD", "zin"}, in...)...)
	d.must(b, append([]string{"HSET", "h"}, fields...)...)
	d.must(b, "SETRANGE", "s9m", "9000000", "x")
	d.must(b, "JSON.SET", "j", "$", "["+strings.Repeat("1,", 400_000)+"1]")
}

// database is one with a client of its own.
type database struct {
	url, token string
	client     *http.Client
}

// send sends a request, and reads the answer.
func (d *database) send(ctx context.Context, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	head := make([]byte, 200)
	n, _ := io.ReadFull(resp.Body, head)
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, head[:n], err
}

func (d *database) must(b *testing.B, args ...string) {
	b.Helper()
	if status, answer, err := d.send(b.Context(), "", encode(b, args)); err != nil || status != http.StatusOK {
		b.Fatalf("%.100q: %d %s %v", args, status, answer, err)
	}
}

func encode(b *testing.B, v any) []byte {
	b.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// open starts a server with two databases.
func open(b *testing.B) (victim, attacker *database) {
	s := local.New(b, local.Build(b), "-ephemeral")
	s.Log = io.Discard
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	client := func() *http.Client {
		return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	}
	victim = &database{s.Var("UPSTASH_REDIS_REST_URL"), s.Var("UPSTASH_REDIS_REST_TOKEN"), client()}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.Var("SKYSTASH_API_URL")+"/v2/redis/database", strings.NewReader(`{"database_name":"attacker"}`))
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth(s.Var("UPSTASH_EMAIL"), s.Var("UPSTASH_API_KEY"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct {
		Token string `json:"rest_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Token == "" {
		b.Fatalf("making a database: status %d, %v", resp.StatusCode, err)
	}
	return victim, &database{victim.url, made.Token, client()}
}

// row is what was measured during an attack.
type row struct {
	attack
	gets           int
	p50, p99, most time.Duration
	attacks        int64 // that were answered
	answer         string
}

// measure sends GETs while an attack goes on.
func measure(b *testing.B, victim, attacker *database, a attack) row {
	ctx, stop := context.WithCancel(b.Context())
	var attacking sync.WaitGroup
	var answered atomic.Int64
	var answer atomic.Value
	if a.body != nil {
		body := encode(b, a.body)
		for range connections {
			attacking.Go(func() {
				for ctx.Err() == nil {
					if status, head, err := attacker.send(ctx, a.path, body); err == nil {
						answered.Add(1)
						answer.Store(fmt.Sprintf("%d %.90s", status, head))
					}
				}
			})
		}
		time.Sleep(time.Second / 2) // until all of them work
	}
	get := encode(b, []string{"GET", "k"})
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < time.Duration(*seconds)*time.Second; time.Sleep(pause) {
		at := time.Now()
		if status, head, err := victim.send(b.Context(), "", get); err != nil || status != http.StatusOK {
			b.Fatalf("GET during %s: %d %s %v", a.name, status, head, err)
		}
		took = append(took, time.Since(at))
	}
	stop()
	attacking.Wait()
	victim.settle(b)
	slices.Sort(took)
	r := row{attack: a, gets: len(took), p50: took[len(took)/2], p99: took[len(took)*99/100], most: took[len(took)-1], attacks: answered.Load()}
	r.answer, _ = answer.Load().(string)
	return r
}

// settle waits until the server has nothing left to do of what clients have given up: until it answers at once for a
// second, but half a minute at most.
func (d *database) settle(b *testing.B) {
	get := encode(b, []string{"GET", "k"})
	for begin, since := time.Now(), time.Now(); time.Since(since) < time.Second && time.Since(begin) < time.Minute/2; time.Sleep(pause) {
		at := time.Now()
		if _, _, err := d.send(b.Context(), "", get); err != nil {
			b.Fatal(err)
		}
		if time.Since(at) > 3*time.Millisecond {
			since = time.Now()
		}
	}
}

const preface = `# A GET beside the worst commands

Written by ` + "`go test ./integration/bench/fairness -bench . -benchtime 1x -update`" + ` (%s/%s, %s, GOMAXPROCS %d; client and server share the
processors). A client sends a GET every few milliseconds to one database of a local server, while %d connections repeat one
request on another database. Each attack goes on for %d seconds. Milliseconds, over HTTP.

| beside | GETs | median | 99th percentile | longest | attacks answered |
| --- | --: | --: | --: | --: | --: |
`

func BenchmarkGETBesideAttacks(b *testing.B) {
	victim, attacker := open(b)
	victim.must(b, "SET", "k", "v")
	attacker.prepare(b)
	var rows []row
	for _, a := range attacks() {
		b.Run(a.name, func(b *testing.B) {
			r := measure(b, victim, attacker, a)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(r.p50), "p50-ms")
			b.ReportMetric(ms(r.p99), "p99-ms")
			b.ReportMetric(ms(r.most), "max-ms")
			b.ReportMetric(float64(r.attacks), "attacks")
			b.Logf("answer: %s", r.answer)
			rows = append(rows, r)
		})
	}
	if !*update {
		return
	}
	var out strings.Builder
	fmt.Fprintf(&out, preface, runtime.GOOS, runtime.GOARCH, runtime.Version(), runtime.GOMAXPROCS(0), connections, *seconds)
	for _, r := range rows {
		fmt.Fprintf(&out, "| %s | %d | %.1f | %.1f | %.1f | %d |\n", r.name, r.gets, ms(r.p50), ms(r.p99), ms(r.most), r.attacks)
	}
	if err := os.WriteFile("../FAIRNESS.md", []byte(out.String()), 0o644); err != nil {
		b.Fatal(err)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
