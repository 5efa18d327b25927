// Package kafkatest has what tests of the front ends of an engine stand on: an engine over a store in
// memory that runs, and a cluster with credentials.
package kafkatest

import (
	"context"
	"crypto/ed25519"
	"testing"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	streamembedded "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
)

// Backend is a running engine with the cluster c1, which has the topics red (3 partitions) and blue (1).
type Backend struct {
	Engine   *kafka.Engine
	Cluster  *kafka.Cluster
	Store    store.Store     // of the engine, for others over the same
	Stream   ingest.Stream   // of the engine
	Signer   *token.Signer   // of credentials
	Verifier *token.Verifier // of the same
}

// New starts a Backend, which ends with the test. wrap may put something between the engine and its stream; nil:
// nothing.
func New(t *testing.T, wrap func(ingest.Stream) ingest.Stream) *Backend {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	var stream ingest.Stream
	if stream, err = streamembedded.Open(t.Context(), streamembedded.Options{Store: st}); err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		stream = wrap(stream)
	}
	b := &Backend{Engine: kafka.New(kafka.Config{Store: st, Stream: stream}), Store: st, Stream: stream}
	ended := make(chan error, 1)
	go func() { ended <- b.Engine.Run(context.Background()) }()
	t.Cleanup(func() {
		b.Engine.Close()
		if err := <-ended; err != nil {
			t.Errorf("the engine has ended: %v", err)
		}
	})
	if b.Cluster, err = b.Engine.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "c1"}); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []struct {
		name       string
		partitions int
	}{{"red", 3}, {"blue", 1}} {
		if _, err := b.Engine.CreateTopic(t.Context(), b.Cluster, topic.name, kafka.TopicOptions{Partitions: topic.partitions}); err != nil {
			t.Fatal(err)
		}
	}
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if b.Signer, err = token.NewSigner(token.SignerConfig{Key: key}); err != nil {
		t.Fatal(err)
	}
	b.Verifier, err = token.NewVerifier(token.VerifierConfig{Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}, Product: token.ProductKafka})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
