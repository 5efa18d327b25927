package skystashtest

import (
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/scripts/local/server"
)

// Server is a server that runs until its test ends.
type Server struct {
	t      testing.TB
	main   *server.Main
	vars   map[string]string
	offset atomic.Int64 // of the server's clock to the machine's, in nanoseconds
}

// Run starts a server, and ends it when the test and its subtests have ended. More flags are those of "skystash dev", such as
// "-topics", "red:3". The test fails if the server does not start.
func Run(t testing.TB, flags ...string) *Server {
	t.Helper()
	s := &Server{t: t, main: server.NewMain(io.Discard, t.Output())}
	s.main.Now = s.Now
	const any = "127.0.0.1:0"
	args := []string{"-ephemeral", "-quiet", "-addr", any, "-redis-addr", any, "-redis-tls-addr", "", "-kafka-addr", any, "-kafka-tls-addr", ""}
	if err := s.main.ParseFlags(append(args, flags...)); err != nil {
		t.Fatalf("skystashtest: %v", err)
	}
	if err := s.main.Start(t.Context()); err != nil {
		t.Fatalf("skystashtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.main.Close(); err != nil {
			t.Errorf("skystashtest: %v", err)
		}
	})
	s.vars = map[string]string{}
	for _, v := range s.main.Environment() {
		s.vars[v[0]] = v[1]
	}
	return s
}

// URL is where Redis over REST, QStash, the console and the Developer API are; Kafka over REST is under /kafka.
func (s *Server) URL() string { return s.main.URL() }

// Token opens the database for reading and writing.
func (s *Server) Token() string { return s.main.Token() }

// ReadOnlyToken opens the database for reading.
func (s *Server) ReadOnlyToken() string { return s.main.ReadOnlyToken() }

// QStashToken opens QStash.
func (s *Server) QStashToken() string { return s.main.QStashToken() }

// SigningKeys are those that QStash signs its requests with: the current one, and the next.
func (s *Server) SigningKeys() (current, next string) {
	return s.vars["QSTASH_CURRENT_SIGNING_KEY"], s.vars["QSTASH_NEXT_SIGNING_KEY"]
}

// RedisURL is for clients of Redis's own protocol, with the password: redis://default:…@127.0.0.1:port.
func (s *Server) RedisURL() string { return s.vars["REDIS_URL"] }

// KafkaBroker is the host:port for clients of Kafka's own protocol, without TLS. They log in by SASL PLAIN or
// SCRAM with Kafka's credentials.
func (s *Server) KafkaBroker() string { return s.vars["KAFKA_BROKERS"] }

// KafkaURL is where Kafka over REST is.
func (s *Server) KafkaURL() string { return s.vars["UPSTASH_KAFKA_REST_URL"] }

// KafkaCredentials open Kafka, over REST and by its own protocol.
func (s *Server) KafkaCredentials() (username, password string) {
	return s.vars["UPSTASH_KAFKA_REST_USERNAME"], s.vars["UPSTASH_KAFKA_REST_PASSWORD"]
}

// Env has the variables that clients read from the environment, by their names.
func (s *Server) Env() map[string]string { return s.vars }

// Now is the time by the server's clock.
func (s *Server) Now() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }

// Advance moves the server's clock ahead. When it returns, keys whose time has come are gone, and what QStash is to deliver is
// on its way.
func (s *Server) Advance(d time.Duration) {
	s.t.Helper()
	if d < 0 {
		s.t.Fatalf("skystashtest: the clock cannot be moved back, by %v", d)
	}
	s.offset.Add(int64(d))
	if err := s.main.ClockMoved(s.t.Context()); err != nil {
		s.t.Errorf("skystashtest: %v", err)
	}
}
