package lzf

import (
	"errors"
	"strings"
	"testing"
)

func TestDecompress(t *testing.T) {
	tests := []struct {
		name, src, want string
	}{
		{"empty", "", ""},
		{"literals", "\x04hello", "hello"},
		{"two literal runs", "\x01he\x02llo", "hello"},
		{"short copy", "\x02abc\x20\x02", "abcabc"},
		{"overlapping copy", "\x00a\x80\x00", "aaaaaaa"},
		{"long copy", "\x00a\xe0\x00\x00", "a" + strings.Repeat("a", 9)},
		{"longest copy", "\x00a\xe0\xff\x00", "a" + strings.Repeat("a", 264)},
		{"copy from far back", "\x1f" + strings.Repeat("x", 32) + "\x01yz\x20\x21", strings.Repeat("x", 32) + "yzxxx"},
		// 200 times "a" as Redis 7.0.15 dumps it
		{"block by Redis", "\x01aa\xe0\xbb\x00\x01aa", strings.Repeat("a", 200)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decompress(tt.src, len(tt.want))
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			for _, length := range []int{len(tt.want) - 1, len(tt.want) + 1} {
				if _, err := Decompress(tt.src, length); !errors.Is(err, ErrCorrupt) {
					t.Errorf("with length %d: %v, want ErrCorrupt", length, err)
				}
			}
		})
	}
}

func TestDecompressRefuses(t *testing.T) {
	for name, src := range map[string]string{
		"literals cut short":        "\x04hell",
		"copy without its offset":   "\x00a\x20",
		"long copy without length":  "\x00a\xe0",
		"long copy without offset":  "\x00a\xe0\x00",
		"copy from before the data": "\x00a\x20\x01",
		"copy from nothing":         "\x20\x00",
	} {
		for length := range 20 {
			if got, err := Decompress(src, length); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %q, %v, want ErrCorrupt", name, got, err)
			}
		}
	}
	if _, err := Decompress("\x00a", 1<<40); !errors.Is(err, ErrCorrupt) {
		t.Errorf("huge length: %v, want ErrCorrupt", err)
	}
}

func FuzzDecompress(f *testing.F) {
	f.Add("\x01aa\xe0\xbb\x00\x01aa", 200)
	f.Add("\x02abc\x20\x02", 6)
	f.Fuzz(func(t *testing.T, src string, length int) {
		got, err := Decompress(src, length)
		if err == nil && len(got) != length {
			t.Fatalf("%d bytes, want %d", len(got), length)
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(200)
	for b.Loop() {
		if _, err := Decompress("\x01aa\xe0\xbb\x00\x01aa", 200); err != nil {
			b.Fatal(err)
		}
	}
}
