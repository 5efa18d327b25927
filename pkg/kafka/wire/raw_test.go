package wire_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/token"
)

// raw sends a request to the broker as it is: the client neither splits it nor tries again.
func raw[Resp kmsg.Response](b *broker, c *kgo.Client, req kmsg.Request) Resp {
	b.Helper()
	if err := c.Ping(b.ctx()); err != nil {
		b.Fatal(err)
	}
	resp, err := c.Broker(0).Request(b.ctx(), req)
	if err != nil {
		b.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), err)
	}
	return resp.(Resp)
}

func rawFetch(b *broker, c *kgo.Client, req *kmsg.FetchRequest) *kmsg.FetchResponse {
	b.Helper()
	return raw[*kmsg.FetchResponse](b, c, req)
}

func oneBatch(t testing.TB) []byte {
	t.Helper()
	data, err := batch.Encode([]batch.Record{{Key: []byte("k"), Value: []byte("v"), Timestamp: 1}}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// socket is a connection without a client.
type socket struct {
	net.Conn
	*broker
	next int32
}

func (b *broker) dial() *socket {
	b.Helper()
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		b.Fatal(err)
	}
	return &socket{Conn: c, broker: b}
}

func (s *socket) send(bytes []byte) {
	s.Helper()
	if _, err := s.Write(bytes); err != nil {
		s.Fatal(err)
	}
}

// receive reads a frame; nil: the connection was closed.
func (s *socket) receive() []byte {
	s.Helper()
	var length [4]byte
	if _, err := io.ReadFull(s, length[:]); err != nil {
		return nil
	}
	b := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(s, b); err != nil {
		s.Fatal(err)
	}
	return b
}

// request sends a request in a version, and decodes its answer into resp; false: the connection was closed.
func (s *socket) request(req kmsg.Request, version int16, resp kmsg.Response) bool {
	s.Helper()
	req.SetVersion(version)
	resp.SetVersion(version)
	s.next++
	s.send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, s.next))
	b := s.receive()
	if b == nil {
		return false
	}
	if got := int32(binary.BigEndian.Uint32(b)); got != s.next {
		s.Fatalf("answer %d to request %d", got, s.next)
	}
	b = b[4:]
	if resp.IsFlexible() && resp.Key() != 18 {
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		s.Fatal(err)
	}
	return true
}

func (s *socket) handshake(mechanism string) {
	s.Helper()
	req, resp := kmsg.NewPtrSASLHandshakeRequest(), kmsg.NewPtrSASLHandshakeResponse()
	req.Mechanism = mechanism
	if !s.request(req, 1, resp) || resp.ErrorCode != 0 {
		s.Fatalf("handshake: %+v", resp)
	}
}

func (s *socket) authenticate(message string) *kmsg.SASLAuthenticateResponse {
	s.Helper()
	req, resp := kmsg.NewPtrSASLAuthenticateRequest(), kmsg.NewPtrSASLAuthenticateResponse()
	req.SASLAuthBytes = []byte(message)
	if !s.request(req, 1, resp) {
		s.Fatal("the connection was closed")
	}
	return resp
}

func (s *socket) login(c credential) {
	s.Helper()
	s.handshake("PLAIN")
	if resp := s.authenticate("\x00" + c.user + "\x00" + c.password); resp.ErrorCode != 0 {
		s.Fatalf("%+v", resp)
	}
}

// isOpen reports whether the connection takes a request.
func (s *socket) isOpen() bool {
	s.Helper()
	return s.request(kmsg.NewPtrMetadataRequest(), 1, kmsg.NewPtrMetadataResponse())
}

// Clients begin with a version that there may not be.
func TestApiVersionsOfTheFutureAreAnsweredInVersion0(t *testing.T) {
	b := newBroker(t)
	for version := int16(5); version < 8; version++ {
		s := b.dial()
		s.send([]byte{0, 0, 0, 9, 0, 18, 0, byte(version), 0, 0, 0, 7, 99})
		want := []byte{0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4}
		if got := s.receive(); !bytes.Equal(got, want) {
			t.Errorf("version %d: %v, want %v", version, got, want)
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1.0"
		if !s.request(req, 3, resp) || resp.ErrorCode != 0 || len(resp.ApiKeys) < 15 {
			t.Errorf("then %+v", resp)
		}
	}
}

func TestSoftwareNamesAreChecked(t *testing.T) {
	s := newBroker(t).dial()
	req, resp := kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrApiVersionsResponse()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "-test", "1"
	s.request(req, 3, resp)
	s.wantCode("a name", resp.ErrorCode, kerr.InvalidRequest)
}

func TestOlderFramingOfTokens(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	for password, good := range map[string]bool{me.password: true, "wrong": false} {
		s := b.dial()
		req, resp := kmsg.NewPtrSASLHandshakeRequest(), kmsg.NewPtrSASLHandshakeResponse()
		req.Mechanism = "PLAIN"
		if !s.request(req, 0, resp) || resp.ErrorCode != 0 {
			t.Fatalf("%+v", resp)
		}
		message := "\x00" + me.user + "\x00" + password
		s.send(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
		if got := s.receive(); (got != nil) != good {
			t.Errorf("good %v: %v", good, got)
		}
		if good && !s.isOpen() {
			t.Error("it is closed")
		}
	}
}

func TestAuthenticationIsRefused(t *testing.T) {
	b := newBroker(t)
	me, other := b.mint(nil), b.mint(nil)
	expired := b.mint(func(c *token.Claims) {
		c.IssuedAt, c.Expires = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	})
	reset := b.mint(func(c *token.Claims) { c.Generation = 9 })
	product := b.mint(func(c *token.Claims) { c.Products = []string{token.ProductRedis} })
	for name, message := range map[string]string{
		"nothing": "", "no password": "\x00" + me.user + "\x00", "another's password": "\x00" + me.user + "\x00" + other.password,
		"another identity": "x\x00" + me.user + "\x00" + me.password, "expired": "\x00" + expired.user + "\x00" + expired.password,
		"an older generation": "\x00" + reset.user + "\x00" + reset.password, "of Redis": "\x00" + product.user + "\x00" + product.password,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := b.dial()
			s.handshake("PLAIN")
			resp := s.authenticate(message)
			s.wantCode(name, resp.ErrorCode, kerr.SaslAuthenticationFailed)
			if resp.ErrorMessage == nil || strings.Contains(*resp.ErrorMessage, me.user) {
				t.Errorf("%s: %v", name, resp.ErrorMessage)
			}
			if s.isOpen() {
				t.Error("it is open")
			}
		})
	}
}

func TestBearerIsToldWhyItIsRefused(t *testing.T) {
	b := newBroker(t)
	s := b.dial()
	s.handshake("OAUTHBEARER")
	resp := s.authenticate("n,,\x01auth=Bearer wrong\x01\x01")
	if resp.ErrorCode != 0 || string(resp.SASLAuthBytes) != `{"status":"invalid_token"}` {
		t.Errorf("%+v", resp)
	}
	s.wantCode("then", s.authenticate("\x01").ErrorCode, kerr.SaslAuthenticationFailed)
	s = b.dial()
	s.handshake("OAUTHBEARER")
	if resp := s.authenticate("n,a=me,\x01host=h\x01auth=bearer " + b.mint(nil).password + "\x01\x01"); resp.ErrorCode != 0 || !s.isOpen() {
		t.Errorf("%+v", resp)
	}
}

func TestMechanismsAreListed(t *testing.T) {
	s := newBroker(t).dial()
	req, resp := kmsg.NewPtrSASLHandshakeRequest(), kmsg.NewPtrSASLHandshakeResponse()
	req.Mechanism = "GSSAPI"
	s.request(req, 1, resp)
	s.wantCode("GSSAPI", resp.ErrorCode, kerr.UnsupportedSaslMechanism)
	if got := strings.Join(resp.SupportedMechanisms, " "); !strings.HasPrefix(got, "PLAIN OAUTHBEARER") {
		t.Error(got)
	}
	s.wantCode("without a handshake", s.authenticate("x").ErrorCode, kerr.IllegalSaslState)
}

// An open connection ends with its credential.
func TestOpenConnectionEndsWithItsCredential(t *testing.T) {
	b := newBroker(t)
	short := b.mint(func(c *token.Claims) { c.Expires = time.Now().Add(time.Hour) })
	s := b.dial()
	s.handshake("PLAIN")
	if resp := s.authenticate("\x00" + short.user + "\x00" + short.password); resp.SessionLifetimeMillis < 3_500_000 || resp.SessionLifetimeMillis > 3_600_000 {
		t.Errorf("a session of %d ms", resp.SessionLifetimeMillis)
	}
	if !s.isOpen() {
		t.Fatal("it is closed")
	}
	idle := b.dial()
	idle.login(short)
	if err := b.engine.RevokeCredential(t.Context(), b.cluster.ID, short.id, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if s.isOpen() {
		t.Error("a request of a revoked credential is answered")
	}
	if idle.receive() != nil { // until the server closes it
		t.Error("an answer to nothing")
	}
	again := b.dial()
	again.handshake("PLAIN")
	again.wantCode("again", again.authenticate("\x00"+short.user+"\x00"+short.password).ErrorCode, kerr.SaslAuthenticationFailed)
}

// A connection may change its credential for a newer one of the same cluster.
func TestReauthentication(t *testing.T) {
	b := newBroker(t)
	first, second := b.mint(nil), b.mint(nil)
	s := b.dial()
	s.login(first)
	s.login(second)
	if err := b.engine.RevokeCredential(t.Context(), b.cluster.ID, first.id, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if !s.isOpen() {
		t.Error("it is closed")
	}
}

// What is no request closes the connection, and nothing else.
func TestMalformedFrames(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	header := func(key, version int16, body ...byte) []byte {
		f := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
		f = binary.BigEndian.AppendUint16(f, uint16(key))
		f = binary.BigEndian.AppendUint16(f, uint16(version))
		return append(append(f, 0, 0, 0, 1), body...)
	}
	for name, frame := range map[string][]byte{
		"a negative length":    {0xff, 0xff, 0xff, 0xff},
		"a length of 7":        {0, 0, 0, 7, 0, 3, 0, 0, 0, 0, 0},
		"33 MiB":               binary.BigEndian.AppendUint32(nil, 33<<20),
		"HTTP":                 []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"an unknown request":   header(99, 0),
		"a negative key":       header(-1, 0),
		"an unserved version":  header(1, 3, 0, 0),
		"no client id":         header(3, 0, 0),
		"a long client id":     header(3, 0, 0x7f, 0xff),
		"a broken body":        header(3, 1, 0, 0, 0, 0, 0, 9),
		"3 MiB of Metadata":    header(3, 1, make([]byte, 3<<20)...),
		"a hostile Produce":    header(0, 3, 0, 0, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff),
		"Produce of Produce's": header(0, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7),
		"many Produce topics":  header(0, 3, append([]byte{0, 0, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0}, make([]byte, 900_000)...)...),
	} {
		t.Run(name, func(t *testing.T) {
			s := b.dial()
			s.login(me)
			_, _ = s.Write(frame) // it may be closed before it has read all
			if got := s.receive(); got != nil {
				t.Errorf("an answer: %v", got)
			}
		})
	}
	s := b.dial()
	s.send(header(3, 0, 0, 0, 0, 0, 0, 0))
	if s.receive() != nil {
		t.Error("Metadata is answered before authentication")
	}
	s = b.dial()
	s.send(binary.BigEndian.AppendUint32(nil, 65<<10))
	if s.receive() != nil {
		t.Error("a large frame is read before authentication")
	}
}

func TestProduceIsRefused(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	s := b.dial()
	s.login(me)
	produce := func(version int16, edit func(*kmsg.ProduceRequest)) (*kmsg.ProduceResponse, bool) {
		t.Helper()
		req, resp := kmsg.NewPtrProduceRequest(), kmsg.NewPtrProduceResponse()
		req.Acks, req.TimeoutMillis = -1, 5000
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: "blue", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: oneBatch(t)}}}}
		if edit != nil {
			edit(req)
		}
		return resp, s.request(req, version, resp)
	}
	id := "transactional"
	for name, row := range map[string]struct {
		version int16
		want    *kerr.Error
		edit    func(*kmsg.ProduceRequest)
	}{
		"good":              {9, nil, nil},
		"older than v2":     {2, kerr.UnsupportedForMessageFormat, nil},
		"a transaction":     {7, kerr.TransactionalIDAuthorizationFailed, func(r *kmsg.ProduceRequest) { r.TransactionID = &id }},
		"acks":              {7, kerr.InvalidRequiredAcks, func(r *kmsg.ProduceRequest) { r.Acks = 2 }},
		"no records":        {7, kerr.InvalidRecord, func(r *kmsg.ProduceRequest) { r.Topics[0].Partitions[0].Records = nil }},
		"broken":            {7, kerr.CorruptMessage, func(r *kmsg.ProduceRequest) { r.Topics[0].Partitions[0].Records[66] ^= 1 }},
		"unknown topic":     {7, kerr.UnknownTopicOrPartition, func(r *kmsg.ProduceRequest) { r.Topics[0].Topic = "no" }},
		"unknown partition": {7, kerr.UnknownTopicOrPartition, func(r *kmsg.ProduceRequest) { r.Topics[0].Partitions[0].Partition = 7 }},
		"early zstd":        {6, kerr.UnsupportedCompressionType, func(r *kmsg.ProduceRequest) { r.Topics[0].Partitions[0].Records[22] |= 4 }},
	} {
		resp, ok := produce(row.version, row.edit)
		if !ok {
			t.Fatalf("%s: closed", name)
		}
		b.wantCode(name, resp.Topics[0].Partitions[0].ErrorCode, row.want)
	}
	resp, _ := produce(7, func(r *kmsg.ProduceRequest) {
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
	})
	b.wantCode("a partition twice", resp.Topics[0].Partitions[1].ErrorCode, kerr.InvalidRequest)
	// Without acknowledgement there is no answer, and a refusal closes the connection.
	silent := kmsg.NewPtrProduceRequest()
	silent.Version, silent.TimeoutMillis = 7, 5000
	silent.Topics = []kmsg.ProduceRequestTopic{{Topic: "blue", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: oneBatch(t)}}}}
	s.send(kmsg.NewRequestFormatter().AppendRequest(nil, silent, 77))
	if !s.isOpen() {
		t.Error("it is closed")
	}
	silent.Topics[0].Topic = "no"
	s.send(kmsg.NewRequestFormatter().AppendRequest(nil, silent, 78))
	if s.receive() != nil {
		t.Error("an answer without acknowledgement")
	}
}

// Every version of every request that is offered is answered in that version.
func TestEveryVersionIsAnswered(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	s := b.dial()
	list := kmsg.NewPtrApiVersionsResponse()
	s.request(kmsg.NewPtrApiVersionsRequest(), 0, list)
	for _, k := range list.ApiKeys {
		if k.ApiKey == 17 || k.ApiKey == 36 {
			continue
		}
		for version := k.MinVersion; version <= k.MaxVersion; version++ {
			s := b.dial()
			s.login(me)
			req := kmsg.RequestForKey(k.ApiKey)
			switch r := req.(type) {
			case *kmsg.ProduceRequest:
				r.Acks = -1
			case *kmsg.ApiVersionsRequest:
				r.ClientSoftwareName, r.ClientSoftwareVersion = "a", "1"
			}
			if !s.request(req, version, req.ResponseKind()) {
				t.Errorf("%s version %d closes the connection", kmsg.NameForKey(k.ApiKey), version)
			}
		}
	}
}

func TestListOffsets(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	c := b.client(me.plain(), kgo.DefaultProduceTopic("blue"))
	for i := range 3 {
		r := kgo.StringRecord(fmt.Sprint(i))
		r.Timestamp = time.UnixMilli(int64(1000 * (i + 1)))
		if err := c.ProduceSync(b.ctx(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	find := func(at int64, leader int32) kmsg.ListOffsetsResponseTopicPartition {
		t.Helper()
		l := kmsg.NewPtrListOffsetsRequest()
		l.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "blue", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: at, CurrentLeaderEpoch: leader}}}}
		return raw[*kmsg.ListOffsetsResponse](b, c, l).Topics[0].Partitions[0]
	}
	for _, row := range []struct{ at, offset, time int64 }{{-2, 0, -1}, {-1, 3, -1}, {0, 0, 1000}, {1001, 1, 2000}, {3000, 2, 3000}, {3001, -1, -1}} {
		if got := find(row.at, -1); got.Offset != row.offset || got.Timestamp != row.time || got.ErrorCode != 0 {
			t.Errorf("at %d: %+v, want offset %d at %d", row.at, got, row.offset, row.time)
		}
	}
	b.wantCode("a time that is none", find(-7, -1).ErrorCode, kerr.UnsupportedVersion)
	b.wantCode("a newer leader", find(-1, 5).ErrorCode, kerr.UnknownLeaderEpoch)
	e := kmsg.NewPtrOffsetForLeaderEpochRequest()
	e.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "blue", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
	if got := raw[*kmsg.OffsetForLeaderEpochResponse](b, c, e).Topics[0].Partitions[0]; got.EndOffset != 3 || got.LeaderEpoch != 0 {
		t.Errorf("%+v", got)
	}
}

func TestFetchBounds(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	c := b.client(me.plain(), kgo.DefaultProduceTopic("blue"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	for range 5 {
		if err := c.ProduceSync(b.ctx(), kgo.StringRecord(strings.Repeat("x", 1000))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	fetch := func(offset int64, partition, all, session int32) *kmsg.FetchResponse {
		t.Helper()
		f := kmsg.NewPtrFetchRequest()
		f.MaxBytes, f.MinBytes, f.SessionID, f.MaxWaitMillis = all, 1, session, 100
		f.Topics = []kmsg.FetchRequestTopic{{Topic: "blue", Partitions: []kmsg.FetchRequestTopicPartition{{FetchOffset: offset, PartitionMaxBytes: partition, CurrentLeaderEpoch: -1}}}}
		return rawFetch(b, c, f)
	}
	size := func(r *kmsg.FetchResponse) int { return len(r.Topics[0].Partitions[0].RecordBatches) }
	one := size(fetch(4, 10_000, 10_000, 0))
	if one < 1000 || one > 1200 {
		t.Fatalf("a batch of %d bytes", one)
	}
	for _, row := range []struct{ partition, all, batches int32 }{{1, 1 << 20, 1}, {1 << 20, 1, 1}, {2500, 1 << 20, 2}, {1 << 20, 3500, 3}, {1 << 20, 1 << 20, 5}} {
		if got := size(fetch(0, row.partition, row.all, 0)); got != int(row.batches)*one {
			t.Errorf("at most %d and %d bytes: %d, want %d batches of %d", row.partition, row.all, got, row.batches, one)
		}
	}
	end := fetch(5, 1000, 1000, 0).Topics[0].Partitions[0]
	if end.HighWatermark != 5 || end.LastStableOffset != 5 || end.LogStartOffset != 0 || end.ErrorCode != 0 {
		t.Errorf("%+v", end)
	}
	b.wantCode("beyond", fetch(6, 1000, 1000, 0).Topics[0].Partitions[0].ErrorCode, kerr.OffsetOutOfRange)
	b.wantCode("below", fetch(-1, 1000, 1000, 0).Topics[0].Partitions[0].ErrorCode, kerr.OffsetOutOfRange)
	b.wantCode("a session", fetch(0, 1000, 1000, 5).ErrorCode, kerr.FetchSessionIDNotFound)
}
