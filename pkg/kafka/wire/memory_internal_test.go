package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

// waits reports whether something that takes memory has to wait for others.
func waits(t *testing.T, take func(context.Context) error) bool {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := take(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return err != nil
}

func TestAnAccountDoesNotTakeTheMemoryOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := reader()
		s.strangers = &share{decoding: semaphore.NewWeighted(strangerDecode)}
		var taken []*frame
		arrives := func(own *share, conn *semaphore.Weighted, size int64) bool {
			f := &frame{own: own, conn: conn}
			taken = append(taken, f)
			return !waits(t, func(ctx context.Context) error { return s.arrive(ctx, f, size) })
		}
		decodes := func(own *share, cost int64) bool {
			f := &frame{own: own}
			taken = append(taken, f)
			return !waits(t, func(ctx context.Context) error { return s.charge(ctx, f, cost) })
		}
		connection := func() *semaphore.Weighted { return semaphore.NewWeighted(connRequest) }
		const hostile = hostileFactor * smallFrame

		one := connection()
		for i, step := range []struct {
			what string
			got  bool
			want bool
		}{
			{"a large request", arrives(s.shareOf("hers", "c1"), one, largeFrame), true},
			{"another on the same connection", arrives(s.shareOf("hers", "c1"), one, 1), false},
			{"a second connection", arrives(s.shareOf("hers", "c1"), connection(), largeFrame), true},
			{"a third, of another cluster", arrives(s.shareOf("hers", "c2"), connection(), largeFrame), true},
			{"a fourth", arrives(s.shareOf("hers", "c3"), connection(), largeFrame), true},
			{"a fifth", arrives(s.shareOf("hers", "c4"), connection(), 1), false},
			{"another account", arrives(s.shareOf("his", "c5"), connection(), largeFrame), true},
			{"a cluster of nobody", arrives(s.shareOf("", "c6"), connection(), largeFrame), true},
			{"another cluster of nobody", arrives(s.shareOf("", "c7"), connection(), largeFrame), true},

			{"decoding", decodes(s.shareOf("hers", "c1"), hostile), true},
			{"decoding a second", decodes(s.shareOf("hers", "c2"), hostile), false},
			{"decoding another account's", decodes(s.shareOf("his", "c5"), hostile), true},
			{"decoding strangers'", decodes(s.strangers, strangerDecode), true},
			{"decoding more of strangers'", decodes(s.strangers, hostileFactor), false},
			{"decoding a third account's", decodes(s.shareOf("", "c6"), 1<<20), true},
		} {
			if step.got != step.want {
				t.Errorf("step %d, %s: served %v", i, step.what, step.got)
			}
		}
		for _, f := range taken {
			s.release(f)
		}
		if !s.memory.TryAcquire(requestMemory) || !s.decoding.TryAcquire(decodeMemory) || !one.TryAcquire(connRequest) {
			t.Error("something was not given back")
		}
		for key, own := range s.shares {
			if !own.arriving.TryAcquire(accountRequest) || !own.decoding.TryAcquire(accountDecode) {
				t.Errorf("something of the %s was not given back", key)
			}
		}
	})
}

// weighed are requests that are weighed by their elements, with all fields that a version has.
func weighed() []kmsg.Request {
	word, large := "word", bytes.Repeat([]byte("x"), 1<<20)
	return []kmsg.Request{
		&kmsg.ProduceRequest{TransactionID: &word, Topics: []kmsg.ProduceRequestTopic{{
			Topic: word, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: 1, Records: large}, {Partition: 2}},
		}}},
		&kmsg.JoinGroupRequest{Group: word, MemberID: word, InstanceID: &word, ProtocolType: word, Reason: &word, Protocols: []kmsg.JoinGroupRequestProtocol{
			{Name: word, Metadata: large}, {Name: word},
		}},
		&kmsg.SyncGroupRequest{Group: word, MemberID: word, InstanceID: &word, ProtocolType: &word, Protocol: &word, GroupAssignment: []kmsg.SyncGroupRequestGroupAssignment{
			{MemberID: word, MemberAssignment: large}, {MemberID: word},
		}},
	}
}

// frameOf is a request as a client sends it.
func frameOf(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("c")).AppendRequest(nil, req, 1)
}

// JoinGroup and SyncGroup hold what they take while they wait for others.
func TestLargeRequestsWithFewElementsTakeLittle(t *testing.T) {
	s := reader()
	for _, req := range weighed() {
		for a, version := s.byKey(req.Key()), int16(0); version <= a.max; version++ {
			req.SetVersion(version)
			f, err := s.readFrame(t.Context(), bytesOf(frameOf(req)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.decode(t.Context(), f); err != nil {
				t.Errorf("%s version %d: %v", kmsg.NameForKey(req.Key()), version, err)
			}
			if f.decoded == 0 || f.decoded > 10<<10 {
				t.Errorf("%s version %d is charged %d bytes", kmsg.NameForKey(req.Key()), version, f.decoded)
			}
			s.release(f)
		}
	}
}

// Each tagged field of a request is an entry of a map when it is decoded: a Produce request of 32 MB could have millions of them.
func TestRequestsOfTaggedFieldsAreRefused(t *testing.T) {
	s := reader()
	tagged := binary.AppendUvarint(nil, 200_000)
	for key := range uint64(200_000) {
		tagged = append(binary.AppendUvarint(tagged, key), 0)
	}
	for _, req := range weighed() {
		a := s.byKey(req.Key())
		req.SetVersion(a.max)
		b := frameOf(req)
		b = append(b[:len(b)-1], tagged...) // in place of their number, which is 0
		binary.BigEndian.PutUint32(b, uint32(len(b)-lengthSize))
		from := bytesOf(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := s.readFrame(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.decode(t.Context(), f)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errFrame) {
			t.Errorf("%s: %v", kmsg.NameForKey(req.Key()), err)
		}
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(len(b)+1<<20); took > most {
			t.Errorf("%s: %d bytes were taken for a request of %d", kmsg.NameForKey(req.Key()), took, len(b))
		}
		s.release(f)
	}
}
