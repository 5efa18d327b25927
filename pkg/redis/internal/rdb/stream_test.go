package rdb

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// A stream of Redis 5.0, which did not tell as much.
func TestLoadOldStream(t *testing.T) {
	newer := decode(t, streamPayload)
	node := newer[1 : 2+1+16+1+29]
	got, err := Load(payload("\x0f" + node + "\x01\x01\x01\x01\x01g\x01\x00\x00\x00"))
	want := Value{Kind: StreamKind, Stream: &Stream{
		Entries: []StreamEntry{{StreamID{1, 1}, []string{"a", "b"}}}, Last: StreamID{1, 1}, Old: true,
		Groups: []StreamGroup{{Name: "g", Last: StreamID{1, 0}, Read: -1}},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got.Stream, err, want.Stream)
	}
}

// Streams of all sizes of elements, of several nodes, and with consumers that have asked in vain.
func TestStreamRoundTrip(t *testing.T) {
	s := testStream()
	s.Groups[1].Consumers[0].Active = -1
	s.Groups[1].Consumers[1].Active -= 1000
	last := StreamID{4, math.MaxUint64}
	for i, n := range []int64{0, 127, 128, 4095, 4096, -1, -4096, -4097, 32767, 32768, -32769, 1<<23 - 1, 1 << 23, -1 << 23, -1<<23 - 1, math.MaxInt32, math.MaxInt32 + 1, math.MinInt64} {
		last = StreamID{last.Ms + 1, uint64(20 - i)} // numbers that fall while the milliseconds rise
		s.Entries = append(s.Entries, StreamEntry{last, []string{"n", strconv.FormatInt(n, 10), "not a number", "0" + strconv.FormatInt(n, 10)}})
	}
	for i, size := range []int{0, 60, 63, 64, 124, 127, 128, 4095, 4096, 16379, 16384, 1 << 21, 3 << 20} {
		last = StreamID{last.Ms + 1, 0}
		s.Entries = append(s.Entries, StreamEntry{last, []string{fmt.Sprint("f", i), strings.Repeat("v", size)}})
	}
	for range 250 {
		last = StreamID{last.Ms, last.Seq + 1}
		s.Entries = append(s.Entries, StreamEntry{last, []string{"same", "v"}})
	}
	last = StreamID{math.MaxUint64, math.MaxUint64}
	s.Entries = append(s.Entries, StreamEntry{last, []string{"f", "v"}})
	s.Last, s.Added = last, 1000
	got, err := Load(Dump(Value{Kind: StreamKind, Stream: s}))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Stream.Entries) != len(s.Entries) {
		t.Fatalf("%d entries, want %d", len(got.Stream.Entries), len(s.Entries))
	}
	for i, e := range s.Entries {
		if !reflect.DeepEqual(got.Stream.Entries[i], e) {
			t.Errorf("entry %d: %.100q, want %.100q", i, fmt.Sprint(got.Stream.Entries[i]), fmt.Sprint(e))
		}
	}
	if !reflect.DeepEqual(got.Stream, s) {
		t.Error("the streams differ")
	}
}

func TestLoadRefusesStreams(t *testing.T) {
	broken := func(change func(s *Stream)) string {
		s := testStream()
		change(s)
		payload := Dump(Value{Kind: StreamKind, Stream: s})
		return payload[:len(payload)-footerLen]
	}
	for _, tt := range []struct{ name, body string }{
		{"entries out of order", broken(func(s *Stream) { s.Entries[1].ID = s.Entries[0].ID })},
		{"an entry behind the last id", broken(func(s *Stream) { s.Last = StreamID{3, 9} })},
		{"an entry of no id", broken(func(s *Stream) { s.Entries[0].ID = StreamID{} })},
		{"a count that is too large", broken(func(s *Stream) { s.Added = -1 })},
		{"a group twice", broken(func(s *Stream) { s.Groups[0].Name = "g" })},
		{"a consumer twice", broken(func(s *Stream) { s.Groups[1].Consumers[1].Name = "alice" })},
		{"pending to nobody", broken(func(s *Stream) { s.Groups[1].Consumers = s.Groups[1].Consumers[:1] })},
		{"pending entries out of order", broken(func(s *Stream) { s.Groups[1].Pending[2].ID = StreamID{1, 6} })},
		{"a group that has read less than nothing", broken(func(s *Stream) { s.Groups[1].Read = -2 })},
		{"another number of entries", "\x13\x00\x01\x01\x01\x01\x01\x00\x00\x01\x00"},
		{"a node with a short key", "\x13\x01\x03abc\x00"},
		{"a node without entries", "\x13\x01\x10" + strings.Repeat("\x00", 16) + "\x07\x07\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"many groups", "\x13\x00\x00\x01\x01\x01\x01\x00\x00\x01\x81\x00\x00\x00\xff\xff\xff\xff\xff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if v, err := Load(payload(tt.body)); err == nil {
				t.Errorf("loaded %+v", v.Stream)
			}
		})
	}
}
