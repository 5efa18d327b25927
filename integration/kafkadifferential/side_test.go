package kafkadifferential

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/skystash/skystash/pkg/kafka/kafkatest"
	"github.com/skystash/skystash/pkg/kafka/wire"
	"github.com/skystash/skystash/pkg/token"
)

// answerTime bounds the wait for an answer. One that takes so long is a difference.
const answerTime = 20 * time.Second

// side is one of the two brokers, with the names that it has given.
type side struct {
	*testing.T
	name           string
	addr           string
	user, password string // SASL PLAIN; "": no authentication
	main           *conn

	members   []string // ids, in the order in which they were met
	topics    [][16]byte
	producers []int64
}

// conn is a connection.
type conn struct {
	net.Conn
	next int32
}

func startFake(t *testing.T) *side {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(1), kfake.MaxVersions(kversion.V4_0_0()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &side{T: t, name: "kfake", addr: c.ListenAddrs()[0]}
	s.main = s.dial()
	return s
}

func startOurs(t *testing.T) *side {
	t.Helper()
	backend := kafkatest.New(t, nil)
	server := wire.New(wire.Config{Engine: backend.Engine, Verifier: backend.Verifier, Logger: slog.New(slog.DiscardHandler)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, err := wire.AddressOf(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l, address) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		backend.Engine.Close()
		server.Close(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	for _, topic := range []string{"red", "blue"} {
		if err := backend.Engine.DeleteTopic(t.Context(), backend.Cluster, topic); err != nil {
			t.Fatal(err)
		}
	}
	claims := token.Claims{
		CredentialID: "one", Resource: backend.Cluster.ID, Products: []string{token.ProductKafka},
		Scope: token.ReadWrite, Generation: backend.Cluster.CredentialGeneration,
	}
	password, err := backend.Signer.Mint(claims)
	if err != nil {
		t.Fatal(err)
	}
	s := &side{T: t, name: "ours", addr: l.Addr().String(), user: claims.KafkaUsername(), password: password}
	s.main = s.dial()
	return s
}

// dial opens a connection that has authenticated.
func (s *side) dial() *conn {
	s.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { nc.Close() })
	c := &conn{Conn: nc}
	if s.user == "" {
		return c
	}
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = "PLAIN"
	login := kmsg.NewPtrSASLAuthenticateRequest()
	login.SASLAuthBytes = []byte("\x00" + s.user + "\x00" + s.password)
	for _, req := range []kmsg.Request{hello, login} {
		req.SetVersion(1)
		resp, err := c.do(req)
		if err != nil {
			s.Fatal(err)
		}
		if a, ok := resp.(*kmsg.SASLAuthenticateResponse); ok && a.ErrorCode != 0 {
			s.Fatalf("%+v", a)
		}
	}
	return c
}

// do sends a request in its version and reads the answer. io.EOF means that the connection was closed.
func (c *conn) do(req kmsg.Request) (kmsg.Response, error) {
	c.next++
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	if _, err := c.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.next)); err != nil {
		return nil, err
	}
	var length [4]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(b)); got != c.next {
		return nil, fmt.Errorf("answer %d to request %d", got, c.next)
	}
	b = b[4:]
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		b = b[1:]
	}
	return resp, resp.ReadFrom(b)
}

// do sends a request on the side's own connection. A connection that was closed is opened anew; the answer is nil.
func (s *side) do(req kmsg.Request) kmsg.Response {
	s.Helper()
	resp, err := s.main.do(req)
	switch {
	case errors.Is(err, io.EOF):
		s.main = s.dial()
		return nil
	case err != nil:
		s.Fatalf("%s does not answer %s %+v: %v", s.name, kmsg.NameForKey(req.Key()), req, err)
	}
	return resp
}

// versions are the versions of requests that a side serves, by key.
func (s *side) versions() map[int16][2]int16 {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	req.SetVersion(3)
	out := map[int16][2]int16{}
	for _, k := range s.do(req).(*kmsg.ApiVersionsResponse).ApiKeys {
		out[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	return out
}

// common are the versions that both serve.
func common(a, b map[int16][2]int16) map[int16][2]int16 {
	out := map[int16][2]int16{}
	for key, x := range a {
		if y, ok := b[key]; ok {
			out[key] = [2]int16{max(x[0], y[0]), min(x[1], y[1])}
		}
	}
	return out
}

// symbol is the name of what a side has named itself: its place in the order in which such things were met.
func symbol[T comparable](met *[]T, v T) string {
	i := slices.Index(*met, v)
	if i < 0 {
		i = len(*met)
		*met = append(*met, v)
	}
	return fmt.Sprint("#", i)
}

// wait waits until a group is in a state.
func (s *side) wait(group, state string) {
	s.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	for end := time.Now().Add(answerTime); ; time.Sleep(time.Millisecond) {
		got := s.do(req).(*kmsg.DescribeGroupsResponse).Groups[0]
		if got.State == state {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("%s: group %s is %s, not %s", s.name, group, got.State, state)
		}
	}
}

// settle waits until what was produced can be read.
func (s *side) settle(topics map[string]int32) {
	s.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.SetVersion(1)
	for topic, partitions := range topics {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for p := range partitions {
			part := kmsg.NewListOffsetsRequestTopicPartition()
			part.Partition, part.Timestamp = p, -1
			t.Partitions = append(t.Partitions, part)
		}
		req.Topics = append(req.Topics, t)
	}
	s.do(req)
}
