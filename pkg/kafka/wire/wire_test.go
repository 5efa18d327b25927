package wire_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/kafkatest"
	"github.com/skystash/skystash/pkg/kafka/wire"
	"github.com/skystash/skystash/pkg/token"
)

// broker is a server of the protocol over a cluster with the topics red (3 partitions) and blue.
type broker struct {
	*testing.T
	engine  *kafka.Engine
	cluster *kafka.Cluster
	signer  *token.Signer
	server  *wire.Server
	addr    string
	usage   usage
	backend *kafkatest.Backend
}

func newBroker(t *testing.T) *broker { return newBrokerWith(t, nil) }

// newBrokerWith is a broker whose configuration is changed; nil: it is not.
func newBrokerWith(t *testing.T, change func(*wire.Config)) *broker {
	t.Helper()
	backend := kafkatest.New(t, nil)
	b := &broker{T: t, engine: backend.Engine, cluster: backend.Cluster, signer: backend.Signer, backend: backend}
	cfg := wire.Config{Engine: b.engine, Verifier: backend.Verifier, Meter: &b.usage, Logger: slog.New(slog.NewTextHandler(testLog{t}, nil))}
	if change != nil {
		change(&cfg)
	}
	b.server = wire.New(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	address, err := wire.AddressOf(b.addr)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(l, address) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		b.engine.Close()
		b.server.Close(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *broker) topic(name string, o kafka.TopicOptions) {
	b.Helper()
	if _, err := b.engine.CreateTopic(b.Context(), b.cluster, name, o); err != nil {
		b.Fatal(err)
	}
}

// credential is a user name and a password.
type credential struct {
	id, user, password string
	claims             token.Claims
}

var credentials int

// mint makes a credential; edit changes its claims.
func (b *broker) mint(edit func(*token.Claims)) credential {
	b.Helper()
	credentials++
	claims := token.Claims{
		CredentialID: fmt.Sprintf("cred-%d", credentials), Resource: b.cluster.ID, Products: []string{token.ProductKafka},
		Scope: token.ReadWrite, Generation: b.cluster.CredentialGeneration,
	}
	if edit != nil {
		edit(&claims)
	}
	text, err := b.signer.Mint(claims)
	if err != nil {
		b.Fatal(err)
	}
	return credential{claims.CredentialID, claims.KafkaUsername(), text, claims}
}

func (c credential) plain() sasl.Mechanism {
	return plain.Auth{User: c.user, Pass: c.password}.AsMechanism()
}

func (c credential) bearer() sasl.Mechanism {
	return oauth.Auth{Token: c.password}.AsMechanism()
}

// client is franz-go's client.
func (b *broker) client(m sasl.Mechanism, opts ...kgo.Opt) *kgo.Client {
	b.Helper()
	all := append([]kgo.Opt{kgo.SeedBrokers(b.addr), kgo.SASL(m), kgo.RetryTimeout(5 * time.Second)}, opts...)
	c, err := kgo.NewClient(all...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// testLog writes what a server logs to the test's log.
type testLog struct{ *testing.T }

var _ io.Writer = testLog{}

func (l testLog) Write(p []byte) (int, error) {
	l.Logf("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}

func (b *broker) ctx() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	b.Cleanup(cancel)
	return ctx
}

// read reads n messages of a topic from its beginning.
func (b *broker) read(m sasl.Mechanism, topic string, n int) (out []*kgo.Record) {
	b.Helper()
	c := b.client(m, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second))
	ctx := b.ctx()
	for len(out) < n {
		fetches := c.PollFetches(ctx)
		if errs := fetches.Errors(); len(errs) > 0 {
			b.Fatalf("after %d messages: %v", len(out), errs)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func TestClientProducesAndConsumesWithEveryCodec(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	const each = 50
	for name, codec := range codecs {
		c := b.client(me.plain(), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic("red"))
		for i := range each {
			c.Produce(b.ctx(), &kgo.Record{
				Key: []byte(name), Value: []byte(strings.Repeat(fmt.Sprint(i, " "), 100)),
				Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(name)}},
			}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		if err := c.Flush(b.ctx()); err != nil {
			t.Fatal(err)
		}
	}
	next := map[string]int{}
	for _, r := range b.read(me.bearer(), "red", each*len(codecs)) {
		name := string(r.Key)
		if want := strings.Repeat(fmt.Sprint(next[name], " "), 100); string(r.Value) != want || string(r.Headers[0].Value) != name {
			t.Errorf("%s: got %.20q, want %.20q", name, r.Value, want)
		}
		next[name]++
	}
	// And over HTTP, as it were.
	tps := []kafka.TopicOffset{{TopicPartition: kafka.TopicPartition{Topic: "red"}}, {TopicPartition: kafka.TopicPartition{Topic: "red", Partition: 1}}, {TopicPartition: kafka.TopicPartition{Topic: "red", Partition: 2}}}
	got, err := b.engine.Fetch(t.Context(), b.cluster, tps, 0)
	if err != nil || len(got) != each*len(codecs) {
		t.Errorf("%d messages are read without the protocol: %v", len(got), err)
	}
}

func TestClientReadsWhatWasProducedOverHTTP(t *testing.T) {
	b := newBroker(t)
	long := strings.Repeat("words ", 1000)
	if _, err := b.engine.Produce(t.Context(), b.cluster, []kafka.NewMessage{{Topic: "blue", Value: []byte(long), Timestamp: 5}}); err != nil {
		t.Fatal(err)
	}
	got := b.read(b.mint(nil).plain(), "blue", 1)
	if string(got[0].Value) != long || got[0].Timestamp.UnixMilli() != 5 || got[0].Offset != 0 {
		t.Errorf("%+v", got[0])
	}
}

// A Fetch that waits is answered as soon as there is something.
func TestFetchWaitsForMessages(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	c := b.client(me.plain(), kgo.ConsumeTopics("blue"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(20*time.Second))
	got := make(chan kgo.Fetches, 1)
	go func() { got <- c.PollFetches(b.ctx()) }()
	p := b.client(me.plain(), kgo.DefaultProduceTopic("blue"))
	if err := p.ProduceSync(b.ctx(), kgo.StringRecord("now")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	select {
	case f := <-got:
		if f.NumRecords() != 1 {
			t.Errorf("%+v", f)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing comes")
	}
}

func TestRawRequests(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	md := kmsg.NewPtrMetadataRequest()
	md.Topics = nil
	resp, err := md.RequestWith(b.ctx(), c)
	if err != nil || len(resp.Topics) != 2 || len(resp.Brokers) != 1 {
		t.Errorf("%+v, %v", resp, err)
	}
}
