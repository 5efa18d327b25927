package rdb

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

// testFile is a file with a value of each kind.
func testFile(t testing.TB, version int) (file []byte, want []FileEntry) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewFileWriter(&b, version, "redis-ver", "7.0.15")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []Value{
		{Kind: String, String: "123"},
		{Kind: String, String: strings.Repeat("long", 10_000)},
		{Kind: List, List: []string{"a", "", "\xff"}},
		{Kind: Set, Set: []string{"a", "-7"}},
		{Kind: Hash, Hash: []Field{{Name: "f", Value: "v"}}},
		{Kind: Hash, Hash: []Field{{Name: "f", Value: "v", ExpireAt: 5}, {Name: "g", Value: "w"}}},
		{Kind: ZSet, ZSet: []Member{{Name: "m", Score: 1.5}}},
		{Kind: StreamKind, Stream: testStream()},
		{Kind: JSON, JSON: `{"a":1}`},
	} {
		e := FileEntry{Key: strings.Repeat("k\x00", i), ExpireAt: int64(i * 1000), Payload: Dump(v)}
		if err := w.Write(e.Key, e.ExpireAt, e.Payload); err != nil {
			t.Fatal(err)
		}
		want = append(want, e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), want
}

// readFile reads a file to its end.
func readFile(file []byte) (entries []FileEntry, err error) {
	r, err := NewFileReader(bytes.NewReader(file))
	for err == nil {
		var e FileEntry
		if e, err = r.Next(); err == nil {
			entries = append(entries, e)
		}
	}
	return entries, err
}

func TestFileRoundTrip(t *testing.T) {
	file, want := testFile(t, VersionRedis74)
	got, err := readFile(file)
	if !errors.Is(err, io.EOF) || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %+v\nwant %+v", err, got, want)
	}
}

func TestFileOfOtherThings(t *testing.T) {
	for name, body := range map[string]string{
		"old seconds, idle time, frequency": "REDIS0003\xfe\x01\xfd\x0a\x00\x00\x00\xf8\x05\xf9\x07\x00\x01k\x01v\xff",
		"functions, sizes, module's data":   "REDIS0009\xf5\x03lib\xfb\x01\x00\xf7\x81\x01\x02\x03\x04\x05\x06\x07\x08\x02\x02\x05\x03abc\x04\x01\x02\x03\x04\x05\x06\x07\x08\x00\xfe\x01\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		got, err := readFile([]byte(body))
		if !errors.Is(err, io.EOF) || len(got) != 1 || got[0].DB != 1 || got[0].Key != "k" {
			t.Errorf("%s: %v, %+v", name, err, got)
			continue
		}
		if v, err := Load(got[0].Payload); err != nil || v.String != "v" {
			t.Errorf("%s: %v, %+v", name, err, v)
		}
	}
}

// TestFileCutOff is over every length: a file that is not whole never reads as one.
func TestFileCutOff(t *testing.T) {
	file, _ := testFile(t, VersionRedis74)
	short := append(append([]byte(nil), file[:300]...), file[40_000:]...) // most of the long string left out, for time
	for n := range short {
		if _, err := readFile(short[:n]); errors.Is(err, io.EOF) || !errors.Is(err, ErrFormat) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

func TestFileChecksum(t *testing.T) {
	file, _ := testFile(t, VersionRedis74)
	at := bytes.LastIndex(file, []byte(`{"a":1}`))
	file[at+5] = '2'
	if _, err := readFile(file); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "checksum") {
		t.Error(err)
	}
}

func TestFileOfUnknownType(t *testing.T) {
	for _, body := range []string{"REDIS0011\xf0\x01k", "REDIS0011\x06\x01k", "REDIS00xx", "RIDES0011", "REDIS0011\x00\x01k\xc4"} {
		if _, err := readFile([]byte(body)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestOlder(t *testing.T) {
	mortal := Dump(Value{Kind: Hash, Hash: []Field{{Name: "f", Value: "v", ExpireAt: 5}}})
	stream := testStream()
	asked := &Stream{Last: StreamID{1, 1}, Groups: []StreamGroup{{Name: "g", Consumers: []StreamConsumer{{Name: "c", Seen: 7, Active: -1}}}}}
	for _, c := range []struct {
		payload string
		version int
		lost    string
	}{
		{Dump(Value{Kind: String, String: "s"}), versionPlain, ""},
		{mortal, VersionRedis74, ""},
		{mortal, VersionRedis72, "times to live"},
		{Dump(Value{Kind: StreamKind, Stream: asked}), VersionRedis72, ""},
		{Dump(Value{Kind: StreamKind, Stream: asked}), VersionRedis70, "active"},
	} {
		older, lost, err := Older(c.payload, c.version)
		if err != nil || (lost == "") != (c.lost == "") || !strings.Contains(lost, c.lost) {
			t.Errorf("version %d: %q, %v; want %q", c.version, lost, err, c.lost)
		}
		w, err := NewFileWriter(io.Discard, c.version)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write("k", 0, older); err != nil {
			t.Errorf("version %d: %v", c.version, err)
		}
		if c.lost != "" && !errors.Is(w.Write("k", 0, c.payload), ErrNewer) {
			t.Errorf("version %d takes what it cannot have", c.version)
		}
	}
	if _, _, err := Older(Dump(Value{Kind: StreamKind, Stream: stream}), versionPlain); !errors.Is(err, ErrNewer) {
		t.Error(err)
	}
}

// FuzzFileReader: whatever a file says, reading it ends, and takes no more memory than the file has bytes.
func FuzzFileReader(f *testing.F) {
	file, _ := testFile(f, VersionRedis74)
	f.Add(file[len(file)-700:])
	f.Add(file[:300])
	f.Fuzz(func(t *testing.T, body []byte) {
		entries, err := readFile(append([]byte("REDIS0011"), body...))
		if err == nil {
			t.Error("no end")
		}
		for _, e := range entries {
			if _, err := open(e.Payload); err != nil {
				t.Errorf("%q: %v", e.Payload, err)
			}
		}
	})
}
