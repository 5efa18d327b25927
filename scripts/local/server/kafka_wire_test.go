package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/skystash/skystash/scripts/local/server"
)

// Clients find the broker by local.env, without TLS and with it, and the certificate stays the same.
func TestKafkaClientsConnectWithAndWithoutTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	args := []string{"-data", dir, "-topics", "red:3", "-kafka-addr", "127.0.0.1:0", "-kafka-tls-addr", "127.0.0.1:0"}
	var certificate []byte
	for range 2 {
		_, stop := start(t, args...)
		env := environment(t, dir)
		ca, err := os.ReadFile(env["KAFKA_TLS_CA"])
		if err != nil || certificate != nil && string(ca) != string(certificate) {
			t.Errorf("the certificate is another one: %v", err)
		}
		certificate = ca
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		produceTo(t, env["KAFKA_BROKERS"], env, nil)
		produceTo(t, env["KAFKA_TLS_BROKERS"], env, &tls.Config{RootCAs: roots})
		stop()
	}
}

func produceTo(t *testing.T, brokers string, env map[string]string, config *tls.Config) {
	t.Helper()
	opts := []kgo.Opt{
		kgo.SeedBrokers(brokers), kgo.DefaultProduceTopic("red"),
		kgo.SASL(plain.Auth{User: env["KAFKA_USERNAME"], Pass: env["KAFKA_PASSWORD"]}.AsMechanism()),
	}
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.ProduceSync(ctx, kgo.StringRecord("hello")).FirstErr(); err != nil {
		t.Errorf("%s: %v", brokers, err)
	}
}

// A port that another process has is no reason not to start.
func TestKafkaTakesTheNextPortThatIsFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	_, stop := start(t, "-data", dir, "-kafka-addr", taken.Addr().String(), "-kafka-tls-addr", "")
	defer stop()
	env := environment(t, dir)
	if got := env["KAFKA_BROKERS"]; got == taken.Addr().String() || !strings.HasPrefix(got, "127.0.0.1:") {
		t.Errorf("it listens on %s", got)
	}
	if env["KAFKA_TLS_BROKERS"] != "" {
		t.Errorf("it listens on %s, too", env["KAFKA_TLS_BROKERS"])
	}
}

func TestKafkaWithoutTLSIsForThisMachine(t *testing.T) {
	for args, ok := range map[string]bool{
		"-kafka-addr 0.0.0.0:9092":                 false,
		"-kafka-addr 0.0.0.0:9092 -kafka-insecure": true,
		"-kafka-addr localhost:9092":               true,
		"-kafka-tls-addr 0.0.0.0:9093":             true,
		"-kafka-addr 9092":                         false,
	} {
		if err := server.NewMain(os.Stdout, os.Stderr).ParseFlags(strings.Fields(args)); (err == nil) != ok {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// A server with a slot is the broker of that number, under its name, and gives the slot back when it ends.
func TestKafkaSlotNamesTheServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, slot := range []int32{2, 3} {
		_, stop := start(t, "-data", dir, "-kafka-addr", "127.0.0.1:0", "-kafka-tls-addr", "", "-kafka-host", "localhost", "-kafka-slot", strconv.Itoa(int(slot)))
		env := environment(t, dir)
		c, err := kgo.NewClient(kgo.SeedBrokers(env["KAFKA_BROKERS"]),
			kgo.SASL(plain.Auth{User: env["KAFKA_USERNAME"], Pass: env["KAFKA_PASSWORD"]}.AsMechanism()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		meta, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if len(meta.Brokers) != 1 || meta.Brokers[0].NodeID != slot || meta.Brokers[0].Host != "localhost" {
			t.Errorf("brokers %+v, want number %d at localhost", meta.Brokers, slot)
		}
		cancel()
		c.Close()
		stop()
	}
}
