package fairness

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/skystash/skystash/integration/local"
	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// call is a request to one of the products.
type call struct {
	name, method, url string
	body              any // a string is sent as it is, anything else as JSON
	login             func(*http.Request)
}

func (c call) send(ctx context.Context, client *http.Client) (status int, head []byte, err error) {
	text, isText := c.body.(string)
	if !isText {
		encoded, err := json.Marshal(c.body)
		if err != nil {
			return 0, nil, err
		}
		text = string(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader([]byte(text)))
	if err != nil {
		return 0, nil, err
	}
	c.login(req)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	head = make([]byte, 4000)
	n, _ := io.ReadFull(resp.Body, head)
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, head[:n], err
}

func (c call) must(b *testing.B) []byte {
	b.Helper()
	status, head, err := c.send(b.Context(), http.DefaultClient)
	if err != nil || status >= 300 {
		b.Fatalf("%s %s: %d %s %v", c.method, c.url, status, head, err)
	}
	return head
}

func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// openTwo starts a server with two accounts. The second one is made as an operator does it, who can write to the table.
func openTwo(b *testing.B) (s *local.Server, email, key string) {
	dir, binary := b.TempDir(), local.Build(b)
	start := func() *local.Server {
		s := local.New(b, binary, "-data", dir, "-topics", "big:1,many:10")
		s.Log = io.Discard
		if err := s.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		return s
	}
	if err := start().Stop(); err != nil {
		b.Fatal(err)
	}
	st, err := embedded.Open(embedded.Options{Dir: filepath.Join(dir, "control")})
	if err != nil {
		b.Fatal(err)
	}
	engine := control.New(control.Config{Store: st, Keyring: control.NewMemoryKeyring()})
	email = "victim@example.com"
	account, err := engine.CreateAccount(b.Context(), email, false)
	if err != nil {
		b.Fatal(err)
	}
	if _, key, err = engine.CreateAPIKey(b.Context(), account.ID, "first"); err != nil {
		b.Fatal(err)
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	return start(), email, key
}

// victims are what the second account does: a GET, a message to Kafka, and one to QStash, which nobody takes.
func victims(b *testing.B, s *local.Server, email, key string) []call {
	api := func(method, path string, body any, into any) {
		c := call{method: method, url: s.Var("SKYSTASH_API_URL") + "/v2" + path, body: body, login: basic(email, key)}
		if err := json.Unmarshal(c.must(b), into); err != nil {
			b.Fatal(err)
		}
	}
	var database struct {
		Token string `json:"rest_token"`
	}
	api("POST", "/redis/database", map[string]any{"database_name": "hers"}, &database)
	var cluster struct {
		ID       string `json:"cluster_id"`
		Username string `json:"username"`
		Password string `json:"password"`
	}
	api("POST", "/kafka/cluster", map[string]any{"name": "hers"}, &cluster)
	var topic struct{}
	api("POST", "/kafka/topic", map[string]any{"name": "hers", "cluster_id": cluster.ID, "partitions": 1}, &topic)
	var qstash struct {
		Token string `json:"token"`
	}
	var made struct {
		ID string `json:"id"`
	}
	api("POST", "/skystash/qstash", map[string]any{"name": "hers"}, &made)
	api("GET", "/qstash/user/"+made.ID, nil, &qstash)
	return []call{
		{"Redis GET", "POST", s.Var("UPSTASH_REDIS_REST_URL"), []string{"GET", "k"}, bearer(database.Token)},
		{"Kafka produce", "POST", s.Var("UPSTASH_KAFKA_REST_URL") + "/produce", map[string]any{"topic": "hers", "value": "x"}, basic(cluster.Username, cluster.Password)},
		{"QStash publish", "POST", s.Var("QSTASH_URL") + "/v2/publish/http://127.0.0.1:9/", "x", func(r *http.Request) {
			bearer(qstash.Token)(r)
			r.Header.Set("Upstash-Delay", "1h")
		}},
	}
}

// ofProducts are attacks of the first account on Kafka and QStash, over HTTP and by Kafka's own protocol.
func ofProducts(b *testing.B, s *local.Server) map[string]func(context.Context, int) (answer string, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	kafkaLogin, token := basic(s.Var("UPSTASH_KAFKA_REST_USERNAME"), s.Var("UPSTASH_KAFKA_REST_PASSWORD")), s.Var("QSTASH_TOKEN")
	kafka := func(path string, body any) call {
		return call{method: "POST", url: s.Var("UPSTASH_KAFKA_REST_URL") + path, body: body, login: kafkaLogin}
	}
	qstash := func(method, path string, body any) call {
		return call{method: method, url: s.Var("QSTASH_URL") + path, body: body, login: func(r *http.Request) {
			bearer(token)(r)
			r.Header.Set("Upstash-Delay", "1h")
		}}
	}
	for range 20 {
		kafka("/produce", slices.Repeat([]map[string]any{{"topic": "big", "value": strings.Repeat("x", 1000)}}, 500)).must(b)
	}
	endpoints := make([]map[string]string, 50)
	for i := range endpoints {
		endpoints[i] = map[string]string{"url": fmt.Sprintf("http://127.0.0.1:9/%d", i)}
	}
	qstash("POST", "/v2/topics/group/endpoints", map[string]any{"endpoints": endpoints}).must(b)
	native := make([]*kgo.Client, connections)
	for i := range native {
		var err error
		if native[i], err = kgo.NewClient(kgo.SeedBrokers(s.Var("KAFKA_BROKERS")), kgo.DefaultProduceTopic("many"),
			kgo.SASL(plain.Auth{User: s.Var("KAFKA_USERNAME"), Pass: s.Var("KAFKA_PASSWORD")}.AsMechanism())); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(native[i].Close)
	}
	one := func(c call) func(context.Context, int) (string, error) {
		return func(ctx context.Context, _ int) (string, error) {
			status, head, err := c.send(ctx, client)
			return fmt.Sprintf("%d %.90s", status, head), err
		}
	}
	at := time.Now().UnixMilli()
	var groups atomic.Int64
	return map[string]func(context.Context, int) (string, error){
		"Kafka: fetches of 8 MB":  one(kafka("/fetch", map[string]any{"topic": "big", "partition": 0, "offset": 0, "maxBytes": 8_000_000})),
		"Kafka: searches by time": one(kafka(fmt.Sprint("/offsets/", at), map[string]any{"topic": "big", "partition": 0})),
		"Kafka: groups": func(ctx context.Context, _ int) (string, error) {
			return one(kafka(fmt.Sprintf("/consume/g%d/i/many", groups.Add(1)), ""))(ctx, 0)
		},
		"Kafka: batches of 1 MB": one(kafka("/produce", slices.Repeat([]map[string]any{{"topic": "many", "value": "x"}}, 30_000))),
		"Kafka's protocol: 500 KB": func(ctx context.Context, i int) (string, error) {
			return "", native[i].ProduceSync(ctx, kgo.SliceRecord(bytes.Repeat([]byte("x"), 500_000))).FirstErr()
		},
		"QStash: batches to groups":      one(qstash("POST", "/v2/batch", slices.Repeat([]map[string]any{{"destination": "group", "body": "x"}}, 20))),
		"QStash: bodies of 900 KB":       one(qstash("POST", "/v2/publish/http://127.0.0.1:9/", strings.Repeat("x", 900_000))),
		"QStash: logs":                   one(qstash("GET", "/v2/logs?count=1000", "")),
		"QStash: dead letters":           one(qstash("GET", "/v2/dlq?count=100", "")),
		"Redis: a script's endless loop": one(call{method: "POST", url: s.Var("UPSTASH_REDIS_REST_URL"), body: eval("while true do end"), login: bearer(s.Var("UPSTASH_REDIS_REST_TOKEN"))}),
	}
}

const productsPreface = `# Three products beside attacks on them

Written by ` + "`go test ./integration/bench/fairness -bench Products -benchtime 1x -update`" + ` (%s/%s, %s, GOMAXPROCS %d; client and server share the
processors). One account of a local server makes a request every few milliseconds, while %d connections of another one attack. Each attack goes on for
%d seconds for each of the three requests. Milliseconds, over HTTP: the median, and the 99th percentile.

| beside | requests | Redis GET | | Kafka produce | | QStash publish | |
| --- | --: | --: | --: | --: | --: | --: | --: |
`

func BenchmarkProductsBesideAttacks(b *testing.B) {
	s, email, key := openTwo(b)
	all, attacks := victims(b, s, email, key), ofProducts(b, s)
	attacks[" nothing"] = nil // the first in order
	names := make([]string, 0, len(attacks))
	for name := range attacks {
		names = append(names, name)
	}
	// What the batches publish is still being delivered behind their row: it is the last one.
	slices.SortFunc(names, func(x, y string) int {
		return cmp.Or(cmp.Compare(strings.Count(x, "batches to groups"), strings.Count(y, "batches to groups")), cmp.Compare(x, y))
	})
	var out strings.Builder
	fmt.Fprintf(&out, productsPreface, runtime.GOOS, runtime.GOARCH, runtime.Version(), runtime.GOMAXPROCS(0), connections, *seconds)
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			ctx, stop := context.WithCancel(b.Context())
			var attacking sync.WaitGroup
			var answered atomic.Int64
			var answer atomic.Value
			for i := range connections {
				if attack := attacks[name]; attack != nil {
					attacking.Go(func() {
						for ctx.Err() == nil {
							if got, err := attack(ctx, i); err == nil { // refusals are answers, too
								answered.Add(1)
								answer.Store(got)
							}
						}
					})
				}
			}
			time.Sleep(time.Second / 2) // until all of them work
			requests, cells := 0, ""
			for _, v := range all {
				var took []time.Duration
				for begin := time.Now(); time.Since(begin) < time.Duration(*seconds)*time.Second; time.Sleep(pause) {
					at := time.Now()
					if status, head, err := v.send(b.Context(), http.DefaultClient); err != nil || status >= 300 {
						b.Fatalf("%s beside %s: %d %s %v", v.name, name, status, head, err)
					}
					took = append(took, time.Since(at))
				}
				slices.Sort(took)
				requests += len(took)
				p50, p99 := ms(took[len(took)/2]), ms(took[len(took)*99/100])
				cells += fmt.Sprintf(" %.1f | %.1f |", p50, p99)
				b.ReportMetric(p99, strings.ReplaceAll(v.name, " ", "-")+"-p99-ms")
			}
			stop()
			attacking.Wait()
			// What clients have given up ends before the next attack.
			for begin, since := time.Now(), time.Now(); time.Since(since) < time.Second && time.Since(begin) < 10*time.Second; time.Sleep(pause) {
				at := time.Now()
				if _, _, err := all[0].send(b.Context(), http.DefaultClient); err != nil {
					b.Fatal(err)
				}
				if time.Since(at) > 3*time.Millisecond {
					since = time.Now()
				}
			}
			b.Logf("%d attacks were answered, the last one: %v", answered.Load(), answer.Load())
			b.ReportMetric(0, "ns/op")
			fmt.Fprintf(&out, "| %s | %d |%s\n", strings.TrimSpace(name), requests, cells)
		})
	}
	if *update {
		if err := os.WriteFile("../FAIRNESSPRODUCTS.md", []byte(out.String()), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}
