package batch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// pack compresses records as a client does.
func pack(t testing.TB, c Codec, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	switch c {
	case None:
		return plain
	case Gzip:
		w := gzip.NewWriter(&out)
		_, _ = w.Write(plain)
		_ = w.Close()
	case Snappy:
		return s2.EncodeSnappy(nil, plain)
	case LZ4:
		w := lz4.NewWriter(&out)
		_, _ = w.Write(plain)
		_ = w.Close()
	case Zstd:
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll(plain, nil)
	}
	return out.Bytes()
}

// xerialFrames is how Java's clients frame snappy: blocks behind their lengths.
func xerialFrames(plain []byte) []byte {
	out := append(bytes.Clone(xerial), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(plain) > 0 {
		n := min(len(plain), 1000)
		block := s2.EncodeSnappy(nil, plain[:n])
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
		plain = plain[n:]
	}
	return out
}

// packed is a batch whose records are in another form.
func packed(t testing.TB, plain []byte, c Codec, records []byte) []byte {
	t.Helper()
	b := append(bytes.Clone(plain[:HeaderSize]), records...)
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-afterLen))
	b[attrsAt+1] = b[attrsAt+1]&^compressionBits | byte(c)
	binary.BigEndian.PutUint32(b[crcAt:], crc32.Checksum(b[attrsAt:], castagnoli))
	return b
}

func TestEveryCodecIsRead(t *testing.T) {
	records := []Record{{Offset: 5, Timestamp: 7, Key: []byte("k"), Value: []byte(strings.Repeat("value ", 900)), Headers: []Header{{"h", nil}}}, {Offset: 6}}
	info, _ := decode(t, encode(t, records, 5, 7))
	plain, err := info.AppendPlain(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"none":              plain,
		"gzip":              packed(t, plain, Gzip, pack(t, Gzip, plain[HeaderSize:])),
		"snappy":            packed(t, plain, Snappy, pack(t, Snappy, plain[HeaderSize:])),
		"snappy of Java":    packed(t, plain, Snappy, xerialFrames(plain[HeaderSize:])),
		"lz4":               packed(t, plain, LZ4, pack(t, LZ4, plain[HeaderSize:])),
		"zstd, as REST was": packed(t, plain, Zstd, pack(t, Zstd, plain[HeaderSize:])),
	} {
		info, got := decode(t, b)
		if !reflect.DeepEqual(got, records) {
			t.Errorf("%s: %+v", name, got)
		}
		var each []Record
		if err := info.Each(func(r *Record) error { each = append(each, r.Clone()); return nil }); err != nil || !reflect.DeepEqual(each, records) {
			t.Errorf("%s, one by one: %+v, %v", name, each, err)
		}
		again, err := info.AppendPlain([]byte("before"))
		if err != nil || !bytes.Equal(again[len("before"):], plain) {
			t.Errorf("%s: not what it was without compression: %v", name, err)
		}
	}
}

func TestRecordsThatGetTooLargeAreRefused(t *testing.T) {
	info, _ := decode(t, encode(t, some, 10, 14))
	bomb := make([]byte, MaxDecoded+1)
	for _, c := range []Codec{Gzip, Snappy, LZ4, Zstd} {
		b := packed(t, info.Bytes, c, pack(t, c, bomb))
		info, _, err := Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := info.Records(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("codec %d: %v", c, err)
		}
	}
}

func TestUnknownCodecIsUnsupported(t *testing.T) {
	b := encode(t, some, 10, 14)
	info, _, err := Next(packed(t, b, 5, b[HeaderSize:]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := info.Records(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func TestEachReadsWhatRecordsReads(t *testing.T) {
	info, want := decode(t, encode(t, some, 10, 14))
	n := 0
	err := info.Each(func(r *Record) error {
		if !reflect.DeepEqual(*r, want[n]) {
			t.Errorf("record %d: %+v, want %+v", n, *r, want[n])
		}
		n++
		return nil
	})
	if err != nil || n != len(want) {
		t.Errorf("%d records: %v", n, err)
	}
	stop := errors.New("stop")
	if err := info.Each(func(*Record) error { return stop }); err != stop {
		t.Errorf("%v", err)
	}
}

// The producer's fields and the epoch are read from where Kafka has them.
func TestHeaderFieldsOfProducers(t *testing.T) {
	b := encode(t, some, 10, 14)
	binary.BigEndian.PutUint64(b[producerAt:], 77)
	binary.BigEndian.PutUint16(b[producerAt+8:], 3)
	binary.BigEndian.PutUint32(b[sequenceAt:], 1000)
	SetEpoch(b, ByClient)
	info, _, err := Next(packed(t, b, None, b[HeaderSize:]))
	if err != nil {
		t.Fatal(err)
	}
	if id, epoch, seq := info.Producer(); id != 77 || epoch != 3 || seq != 1000 || info.Epoch() != ByClient || info.IsTransactional() || info.HasAppendTime() || info.IsControl() {
		t.Errorf("producer %d, epoch %d, sequence %d, leader epoch %d", id, epoch, seq, info.Epoch())
	}
}

func FuzzDecompress(f *testing.F) {
	for _, c := range []Codec{Gzip, Snappy, LZ4, Zstd} {
		f.Add(byte(c), pack(f, c, bytes.Repeat([]byte("some words "), 50)))
	}
	f.Add(byte(Snappy), xerialFrames([]byte("words")))
	broken, _ := hex.DecodeString("82534e41505059000000000100000001ffffffff")
	f.Add(byte(Snappy), broken)
	f.Fuzz(func(t *testing.T, c byte, packed []byte) {
		plain, err := Codec(c & compressionBits).decompress(packed)
		if err == nil && len(plain) > MaxDecoded && Codec(c&compressionBits) != None {
			t.Errorf("%d bytes", len(plain))
		}
	})
}
