// Package compress is the compression of what products store: zstd at its fastest level, in frames of their own, with
// the encoders and decoders pooled. A store bills each KiB that is written, so a millisecond of compressing saves more
// than it costs.
package compress

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ErrCorrupt means that bytes are no frame, are damaged, or stand for more than the codec's limit.
var ErrCorrupt = errors.New("compress: corrupt")

// window is how far back a match may lie, in bytes. It bounds the memory of an encoder.
const window = 512 << 10

// Codec compresses and decompresses. It is safe for concurrent use and has no state between calls. Its encoders and
// decoders are made when they are first needed, one of each for each processor.
type Codec struct {
	encoder func() *zstd.Encoder
	decoder func() *zstd.Decoder
}

// New makes a codec. limit bounds what Decode returns, in bytes: a frame that is damaged, or was made for it, takes
// no more memory.
func New(limit int) *Codec {
	return &Codec{
		encoder: sync.OnceValue(func() *zstd.Encoder {
			return must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true)))
		}),
		decoder: sync.OnceValue(func() *zstd.Decoder {
			return must(zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(limit))))
		}),
	}
}

// must is for options that are constants, but for a limit that is positive.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("compress: %v", err))
	}
	return v
}

// Append appends a frame that stands for src to dst.
func (c *Codec) Append(dst, src []byte) []byte { return c.encoder().EncodeAll(src, dst) }

// Decode appends what a frame stands for to dst. The error wraps ErrCorrupt.
func (c *Codec) Decode(dst, frame []byte) ([]byte, error) {
	out, err := c.decoder().DecodeAll(frame, dst)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return out, nil
}
