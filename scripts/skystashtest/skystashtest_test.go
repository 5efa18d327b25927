package skystashtest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/skystash/skystash/scripts/skystashtest"
)

// command sends a command of Redis over REST and returns the answer.
func command(t testing.TB, srv *skystashtest.Server, text string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, srv.URL(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+srv.Token())
	return send(t, req)
}

func send(t testing.TB, req *http.Request) string {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(body))
}

func TestKeysExpireByTheMovedClock(t *testing.T) {
	srv := skystashtest.Run(t)
	command(t, srv, `["SET","session","1","EX","3600"]`)
	command(t, srv, `["SET","forever","1"]`)
	srv.Advance(59 * time.Minute)
	if got := command(t, srv, `["EXISTS","session","forever"]`); got != `{"result":2}` {
		t.Errorf("before its time: %s", got)
	}
	srv.Advance(2 * time.Minute)
	if got := command(t, srv, `["EXISTS","session","forever"]`); got != `{"result":1}` {
		t.Errorf("after its time: %s", got)
	}
}

// publish hands QStash a request for a destination, with headers as pairs.
func publish(t testing.TB, srv *skystashtest.Server, path string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, srv.URL()+path, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+srv.QStashToken())
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return send(t, req)
}

// receiver is a destination that says what it has got.
func receiver(t testing.TB) (url string, got chan string) {
	got = make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.URL.Path }))
	t.Cleanup(s.Close)
	return s.URL, got
}

func TestQStashDeliversWhatIsDueByTheMovedClock(t *testing.T) {
	srv := skystashtest.Run(t)
	url, got := receiver(t)
	publish(t, srv, "/v2/publish/"+url+"/soon", "Upstash-Delay", "90s")
	publish(t, srv, "/v2/publish/"+url+"/tomorrow", "Upstash-Delay", "1d")
	publish(t, srv, "/v2/schedules/"+url+"/hourly", "Upstash-Cron", "0 * * * *")
	select {
	case path := <-got:
		t.Errorf("%s is delivered before its time", path)
	default:
	}
	srv.Advance(2 * time.Minute)
	seen := map[string]bool{<-got: true} // an hour may begin in between
	for !seen["/soon"] {
		seen[<-got] = true
	}
	next := srv.Now().Truncate(time.Hour).Add(time.Hour)
	srv.Advance(next.Sub(srv.Now()) + time.Second)
	for !seen["/hourly"] {
		seen[<-got] = true
	}
	if seen["/tomorrow"] {
		t.Error("what is due tomorrow has come today")
	}
	srv.Advance(24 * time.Hour)
	for !seen["/tomorrow"] {
		seen[<-got] = true
	}
}

func TestNativeClientsLogIn(t *testing.T) {
	srv := skystashtest.Run(t, "-topics", "red:2")
	opts, err := redis.ParseURL(srv.RedisURL())
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opts)
	defer rdb.Close()
	if err := rdb.Set(t.Context(), "k", "v", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	srv.Advance(2 * time.Hour)
	if n, err := rdb.Exists(t.Context(), "k").Result(); err != nil || n != 0 {
		t.Errorf("%d keys, %v", n, err)
	}

	user, password := srv.KafkaCredentials()
	client, err := kgo.NewClient(kgo.SeedBrokers(srv.KafkaBroker()), kgo.ConsumeTopics("red"),
		kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "red", Value: []byte("hello")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if fetched := client.PollFetches(t.Context()).Records(); len(fetched) != 1 || string(fetched[0].Value) != "hello" {
		t.Errorf("fetched %v", fetched)
	}
}

func TestServersKnowNothingOfEachOther(t *testing.T) {
	a, b := skystashtest.Run(t), skystashtest.Run(t)
	command(t, a, `["SET","k","v"]`)
	a.Advance(time.Hour)
	if got := command(t, b, `["EXISTS","k"]`); got != `{"result":0}` || a.URL() == b.URL() {
		t.Errorf("the other has %s, at %s", got, b.URL())
	}
	if ahead := a.Now().Sub(b.Now()); ahead < 59*time.Minute {
		t.Errorf("the clocks are %v apart", ahead)
	}
}

// Example shows a test of code that keeps sessions in Redis.
func Example() {
	test := func(t *testing.T) {
		srv := skystashtest.Run(t)
		opts, err := redis.ParseURL(srv.RedisURL())
		if err != nil {
			t.Fatal(err)
		}
		sessions := redis.NewClient(opts)
		defer sessions.Close()

		sessions.Set(t.Context(), "session:1", "ann", 30*time.Minute)
		srv.Advance(31 * time.Minute)
		if n := sessions.Exists(t.Context(), "session:1").Val(); n != 0 {
			t.Error("a session outlives its time")
		}
	}
	_ = test // it would be TestSessionsEnd
}
