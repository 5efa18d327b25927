package wire

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/skystash/skystash/pkg/kafka/batch"
)

// zstdBatch is a batch as REST once stored it, or with batch.ByClient as a client has encoded it.
func zstdBatch(t *testing.T, epoch int32) (packed batch.Info, plain []byte) {
	t.Helper()
	b, err := batch.Encode([]batch.Record{{Value: []byte(strings.Repeat("words ", 500))}}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	info, _, err := batch.Next(b)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err = info.AppendPlain(nil); err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	b = w.EncodeAll(plain[batch.HeaderSize:], bytes.Clone(plain[:batch.HeaderSize]))
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[22] |= byte(batch.Zstd)
	batch.SetEpoch(b, epoch)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	if packed, _, err = batch.Next(b); err != nil {
		t.Fatal(err)
	}
	return packed, plain
}

// What REST has stored with zstd is for every client. What a client has compressed with it is for those who
// say that they read it.
func TestZstdIsForThoseWhoReadIt(t *testing.T) {
	ours, plain := zstdBatch(t, -1)
	theirs, _ := zstdBatch(t, batch.ByClient)
	x := &exchange{}
	for _, version := range []int16{4, 12} {
		if got, code := x.appendBatches([]batch.Info{ours}, version); code != 0 || !bytes.Equal(got, plain) {
			t.Errorf("version %d: error %d, %d bytes", version, code, len(got))
		}
	}
	got, code := x.appendBatches([]batch.Info{theirs}, 12)
	if code != 0 || len(got) != len(theirs.Bytes) || binary.BigEndian.Uint32(got[12:]) != 1<<32-1 {
		t.Errorf("error %d, %d bytes", code, len(got))
	}
	if got, code := x.appendBatches([]batch.Info{theirs}, 9); code != kerr.UnsupportedCompressionType.Code || len(got) > 0 {
		t.Errorf("error %d, %d bytes", code, len(got))
	}
	if got, code := x.appendBatches([]batch.Info{ours, theirs}, 9); code != 0 || !bytes.Equal(got, plain) {
		t.Errorf("what is before it: error %d, %d bytes", code, len(got))
	}
}
