package batch

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func encode(t testing.TB, records []Record, base, next int64) []byte {
	t.Helper()
	b, err := Encode(records, base, next)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t testing.TB, b []byte) (Info, []Record) {
	t.Helper()
	info, rest, err := Next(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(rest) > 0 {
		t.Fatalf("%d bytes are left", len(rest))
	}
	records, err := info.Records()
	if err != nil {
		t.Fatal(err)
	}
	return info, records
}

var some = []Record{
	{Offset: 10, Timestamp: 1_700_000_000_000, Value: []byte("plain")},
	{Offset: 11, Timestamp: 1_600_000_000_000, Key: []byte("key"), Value: nil},
	{Offset: 12, Timestamp: 0, Key: []byte{}, Value: []byte{}},
	{Offset: 13, Timestamp: 9_000_000_000_000_000, Key: []byte{0, 255}, Value: []byte{0xff, 0},
		Headers: []Header{{"a", []byte("1")}, {"", nil}, {"a", []byte("2")}}},
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	info, got := decode(t, encode(t, some, 10, 14))
	if !reflect.DeepEqual(got, some) {
		t.Errorf("got %+v", got)
	}
	if info.Base != 10 || info.Next != 14 || info.Count != 4 || info.MaxTimestamp != 9_000_000_000_000_000 {
		t.Errorf("header %+v", info)
	}
}

func TestBaseCanBeSetLater(t *testing.T) {
	b := encode(t, []Record{{Offset: 0, Value: []byte("a")}, {Offset: 1, Value: []byte("b")}}, 0, 2)
	SetBase(b, 1<<40)
	info, got := decode(t, b)
	if info.Base != 1<<40 || info.Next != 1<<40+2 || got[1].Offset != 1<<40+1 {
		t.Errorf("header %+v, records %+v", info, got)
	}
}

func TestLargeBatchesAreCompressedIfThatGains(t *testing.T) {
	words := encode(t, []Record{{Value: []byte(strings.Repeat("so it is said ", 1000))}}, 0, 1)
	if len(words) > 1000 {
		t.Errorf("repetition takes %d bytes", len(words))
	}
	if _, got := decode(t, words); len(got[0].Value) != 14000 {
		t.Errorf("a value of %d bytes comes back", len(got[0].Value))
	}
	noise := make([]byte, 10000)
	for i := range noise {
		noise[i] = byte(rand.N(256))
	}
	if b := encode(t, []Record{{Value: noise}}, 0, 1); len(b) > len(noise)+HeaderSize+20 {
		t.Errorf("noise grows to %d bytes", len(b))
	}
}

func TestCompactedBatchKeepsItsSpan(t *testing.T) {
	info, got := decode(t, encode(t, []Record{{Offset: 7, Value: []byte("x")}}, 5, 10))
	if info.Base != 5 || info.Next != 10 || len(got) != 1 || got[0].Offset != 7 {
		t.Errorf("header %+v, records %+v", info, got)
	}
	info, got = decode(t, encode(t, nil, 5, 10))
	if info.Base != 5 || info.Next != 10 || len(got) != 0 {
		t.Errorf("header %+v, records %+v", info, got)
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	b := encode(t, some, 10, 14)
	for i := magicAt; i < len(b); i++ {
		damaged := bytes.Clone(b)
		damaged[i] ^= 0x40
		if _, _, err := Next(damaged); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for n := range b {
		if _, _, err := Next(b[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes of it: %v", n, err)
		}
	}
}

func TestBatchesFollowEachOther(t *testing.T) {
	b := append(encode(t, some, 10, 14), encode(t, []Record{{Offset: 14}}, 14, 15)...)
	first, rest, err := Next(b)
	if err != nil {
		t.Fatal(err)
	}
	second, rest, err := Next(rest)
	if err != nil || len(rest) > 0 || second.Base != first.Next {
		t.Errorf("%v, %d bytes left, %d follows %d", err, len(rest), second.Base, first.Next)
	}
}

func TestOffsetsOutOfOrderAreRefused(t *testing.T) {
	for _, records := range [][]Record{
		{{Offset: 1}, {Offset: 1}}, {{Offset: 2}, {Offset: 1}}, {{Offset: 3}}, {{Offset: -1}},
	} {
		if _, err := Encode(records, 0, 3); err == nil {
			t.Errorf("%+v is encoded", records)
		}
	}
	if _, err := Encode(nil, 3, 3); err == nil {
		t.Error("a batch without offsets is encoded")
	}
}

func TestHeaderIsWhatTheProtocolSays(t *testing.T) {
	var got kmsg.RecordBatch
	b := encode(t, some, 10, 14)
	if err := got.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if got.Magic != 2 || got.FirstOffset != 10 || got.LastOffsetDelta != 3 || got.NumRecords != 4 ||
		got.ProducerID != -1 || got.FirstTimestamp != 1_700_000_000_000 || int(got.Length) != len(b)-12 {
		t.Errorf("header %+v", got)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(encode(f, some, 10, 14))
	f.Add(encode(f, []Record{{Value: bytes.Repeat([]byte("x"), 5000)}}, 0, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, _, err := Next(b)
		if err != nil {
			return
		}
		records, err := info.Records()
		var each []Record
		eachErr := info.Each(func(r *Record) error {
			each = append(each, r.Clone())
			return nil
		})
		if (err == nil) != (eachErr == nil) || err == nil && len(records)+len(each) > 0 && !reflect.DeepEqual(each, records) {
			t.Errorf("Records: %v, %v; Each: %v, %v", records, err, each, eachErr)
		}
		if err != nil {
			return
		}
		again := encode(t, records, info.Base, info.Next)
		if _, got := decode(t, again); !reflect.DeepEqual(got, records) {
			t.Errorf("%+v becomes %+v", records, got)
		}
	})
}

func BenchmarkEncode100(b *testing.B) {
	records := make([]Record, 100)
	for i := range records {
		records[i] = Record{Offset: int64(i), Value: []byte(strings.Repeat("some words ", 20))}
	}
	b.ReportAllocs()
	for b.Loop() {
		encode(b, records, 0, 100)
	}
}
