package wire_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/wire"
)

// A credential that has all its connections keeps nobody else out, and gets another one when one ends.
func TestConnectionsOfACredentialAreLimited(t *testing.T) {
	b := newBrokerWith(t, func(c *wire.Config) { c.MaxPerCredential = 2 })
	mine, other := b.mint(nil), b.mint(nil)
	first, second := b.dial(), b.dial()
	first.login(mine)
	second.login(mine)
	third := b.dial()
	if third.logsIn(mine) {
		t.Error("a third connection is let in")
	}
	if !b.dial().logsIn(other) {
		t.Error("the connection of another credential is refused")
	}
	if !first.isOpen() || !second.isOpen() {
		t.Error("a connection within the limit was closed")
	}
	first.Close()
	for !b.dial().logsIn(mine) { // once the server has noticed
		time.Sleep(time.Millisecond)
	}
}

// logsIn reports whether the connection is let in, or closed.
func (s *socket) logsIn(c credential) bool {
	s.Helper()
	s.handshake("PLAIN")
	req, resp := kmsg.NewPtrSASLAuthenticateRequest(), kmsg.NewPtrSASLAuthenticateResponse()
	req.SASLAuthBytes = []byte("\x00" + c.user + "\x00" + c.password)
	return s.request(req, 1, resp) && resp.ErrorCode == 0
}

// What was read is answered, also a Fetch that waits; idle connections are closed.
func TestDrain(t *testing.T) {
	b := newBroker(t)
	b.topic("empty", kafka.TopicOptions{Partitions: 1})
	c := b.mint(nil)
	idle, waiting, stranger := b.dial(), b.dial(), b.dial()
	idle.login(c)
	waiting.login(c)
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MaxWaitMillis, fetch.MinBytes, fetch.MaxBytes = 11, 300, 1, 1<<20
	topic, partition := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	topic.Topic, partition.PartitionMaxBytes = "empty", 1<<20
	topic.Partitions = append(topic.Partitions, partition)
	fetch.Topics = append(fetch.Topics, topic)
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 1
	f := kmsg.NewRequestFormatter()
	waiting.send(append(f.AppendRequest(nil, metadata, 1), f.AppendRequest(nil, fetch, 2)...)) // which arrive together
	if waiting.receive() == nil {
		t.Fatal("the first request is not answered")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b.server.Close(ctx)
	if ctx.Err() != nil {
		t.Error("connections did not end by themselves")
	}
	if waiting.receive() == nil {
		t.Error("the second request is not answered")
	}
	for _, s := range []*socket{idle, waiting, stranger} {
		if s.receive() != nil {
			t.Error("an answer to nothing")
		}
	}
}
