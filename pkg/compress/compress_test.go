package compress_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/skystash/skystash/pkg/compress"
)

const limit = 1 << 20

func TestWhatIsCompressedComesBack(t *testing.T) {
	c := compress.New(limit)
	noise := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	for name, src := range map[string][]byte{
		"nothing": {}, "a byte": {7}, "text": []byte(strings.Repeat("some text. ", 1000)), "noise": noise,
		"as much as the limit": bytes.Repeat([]byte("ab"), limit/2-2),
	} {
		frame := c.Append([]byte("head"), src)
		if string(frame[:4]) != "head" {
			t.Errorf("%s: what was there is gone", name)
		}
		got, err := c.Decode([]byte("head"), frame[4:])
		if err != nil || string(got) != "head"+string(src) {
			t.Errorf("%s: %d bytes and error %v", name, len(got), err)
		}
		if len(src) > 1000 && name != "noise" && len(frame) > len(src)/50 {
			t.Errorf("%s: %d bytes take %d", name, len(src), len(frame))
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	c := compress.New(limit)
	frame := c.Append(nil, []byte(strings.Repeat("all the bytes of this count, 0123456789. ", 100)))
	for i := range frame {
		bad := bytes.Clone(frame)
		bad[i] ^= 0x55
		if _, err := c.Decode(nil, bad); !errors.Is(err, compress.ErrCorrupt) {
			t.Errorf("byte %d changed: error %v", i, err)
		}
	}
	for i := 1; i < len(frame); i++ {
		if _, err := c.Decode(nil, frame[:i]); !errors.Is(err, compress.ErrCorrupt) {
			t.Errorf("%d bytes: error %v", i, err)
		}
	}
}

func TestNoFrameStandsForMoreThanTheLimit(t *testing.T) {
	c := compress.New(limit)
	large := make([]byte, 64<<20)
	honest := c.Append(nil, large)
	var stream bytes.Buffer // whose header does not say how much there is
	w, err := zstd.NewWriter(&stream)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(large)
	w.Close()
	for name, frame := range map[string][]byte{"size in the header": honest, "no size": stream.Bytes(), "several frames": bytes.Repeat(c.Append(nil, large[:limit/2]), 3)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := c.Decode(nil, frame); !errors.Is(err, compress.ErrCorrupt) {
			t.Fatalf("%s: error %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8*limit {
			t.Errorf("%s: takes %d bytes", name, used)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	c := compress.New(limit)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			src := bytes.Repeat([]byte{byte(i), byte(i * 3)}, 5000)
			for range 20 {
				if got, err := c.Decode(nil, c.Append(nil, src)); err != nil || !bytes.Equal(got, src) {
					t.Errorf("%d bytes and error %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDecode(f *testing.F) {
	c := compress.New(limit)
	f.Add(c.Append(nil, []byte("some text, some text")))
	f.Add(c.Append(nil, make([]byte, 2*limit)))
	f.Add([]byte("no frame"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		out, err := c.Decode(nil, frame)
		if err != nil && !errors.Is(err, compress.ErrCorrupt) {
			t.Fatal(err)
		}
		if len(out) > limit {
			t.Errorf("%d bytes", len(out))
		}
	})
}
