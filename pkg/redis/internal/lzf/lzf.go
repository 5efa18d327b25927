// Package lzf decompresses LZF, the format in which Redis keeps longer strings in its
// dumps (Marc Lehmann's LibLZF, http://oldhome.schmorp.de/marc/liblzf.html).
//
// A block is a sequence of runs, each led by a control byte:
//
//	000lllll                      l+1 literal bytes follow
//	lllooooo oooooooo             copy l+2 bytes from o+1 bytes back, l from 1 to 6
//	111ooooo llllllll oooooooo    copy l+9 bytes from o+1 bytes back
//
// The copied bytes may overlap those they produce. There is no length and no checksum:
// who stores a block stores its decompressed length with it.
package lzf

import (
	"errors"
	"strings"
)

// ErrCorrupt is returned for what is no LZF block of the expected length.
var ErrCorrupt = errors.New("corrupt LZF data")

// maxRatio bounds what a byte decompresses to: 3 bytes copy at most 264.
const maxRatio = 88

// Decompress returns the length bytes that src holds. It allocates no more than a block
// of src's size can fill, whatever the length asked for.
func Decompress(src string, length int) (string, error) {
	if length < 0 || length/maxRatio > len(src) {
		return "", ErrCorrupt
	}
	var dst strings.Builder
	dst.Grow(length)
	for i := 0; i < len(src); {
		control := int(src[i])
		i++
		if control < 32 {
			n := control + 1
			if n > len(src)-i || n > length-dst.Len() {
				return "", ErrCorrupt
			}
			dst.WriteString(src[i : i+n])
			i += n
			continue
		}
		n := control >> 5
		if n == 7 {
			if i == len(src) {
				return "", ErrCorrupt
			}
			n += int(src[i])
			i++
		}
		n += 2
		if i == len(src) {
			return "", ErrCorrupt
		}
		from := dst.Len() - 1 - (control&31<<8 | int(src[i]))
		i++
		if from < 0 || n > length-dst.Len() {
			return "", ErrCorrupt
		}
		for n > 0 { // what is repeated may be what is being written
			run := dst.String()[from:]
			run = run[:min(n, len(run))]
			dst.WriteString(run)
			n -= len(run)
		}
	}
	if dst.Len() != length {
		return "", ErrCorrupt
	}
	return dst.String(), nil
}
