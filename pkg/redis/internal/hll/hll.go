package hll

import (
	"encoding/binary"
	"errors"
)

// The errors of strings that are no HyperLogLog; their texts are Redis's replies.
var (
	ErrNotHLL  = errors.New("WRONGTYPE Key is not a valid HyperLogLog string value.") //lint:ignore ST1005 Redis's own text
	ErrCorrupt = errors.New("INVALIDOBJ Corrupted HLL object detected")
)

const (
	indexBits = 14
	registers = 1 << indexBits
	rankBits  = 64 - indexBits

	magic      = "HYLL"
	headerLen  = 16
	denseLen   = headerLen + registers*6/8
	encodingAt = len(magic)
	countAt    = 8

	dense  = 0
	sparse = 1

	staleBit = 0x80 // of the header's last byte: the count is not valid
)

// New returns an empty HyperLogLog, what PFADD makes of a key that does not exist.
func New() string {
	return magic + "\x01\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x80" + "\x7f\xff"
}

// Validate returns [ErrNotHLL] if s does not look like a HyperLogLog. As in Redis this
// is a look at its header; [ErrCorrupt] may still come from the other functions.
func Validate(s string) error {
	if len(s) < headerLen || s[:len(magic)] != magic {
		return ErrNotHLL
	}
	switch s[encodingAt] {
	case sparse:
		return nil
	case dense:
		if len(s) == denseLen {
			return nil
		}
	}
	return ErrNotHLL
}

// Add adds elements to s and tells whether that changed it. For a key that does not
// exist s is [New], and PFADD counts the key's creation as a change.
func Add(s string, elements []string) (result string, changed bool, err error) {
	if err := Validate(s); err != nil {
		return "", false, err
	}
	sk := sketch(s)
	for _, element := range elements {
		index, rank := registerOf(element)
		grown, err := sk.raise(index, rank, &cursor{})
		if err != nil {
			return "", false, err
		}
		changed = changed || grown
	}
	if !changed {
		return s, false, nil
	}
	sk.invalidate()
	return string(sk), true, nil
}

// Merge returns dest with all that was added to the sources: PFMERGE. If dest does not
// exist it is [New]; sources that do not exist are left out.
func Merge(dest string, sources []string) (string, error) {
	var union [registers]uint8
	anyDense := false
	for i := -1; i < len(sources); i++ {
		s := dest
		if i >= 0 {
			s = sources[i]
		}
		if err := mergeInto(&union, s); err != nil {
			return "", err
		}
		anyDense = anyDense || s[encodingAt] == dense
	}
	sk := sketch(dest)
	if anyDense && sk[encodingAt] == sparse {
		if err := sk.toDense(); err != nil {
			return "", err
		}
	}
	var near cursor
	for index, rank := range union {
		if rank == 0 {
			continue
		}
		if _, err := sk.raise(index, rank, &near); err != nil {
			return "", err
		}
	}
	sk.invalidate()
	return string(sk), nil
}

// Count estimates how many different elements were added to the sources together:
// PFCOUNT. Keys that do not exist are left out.
func Count(sources ...string) (int64, error) {
	if len(sources) == 1 {
		if n, ok := Cached(sources[0]); ok {
			return n, nil
		}
	}
	var union [registers]uint8
	for _, s := range sources {
		if err := mergeInto(&union, s); err != nil {
			return 0, err
		}
	}
	var histogram [64]int
	for _, rank := range union {
		histogram[rank&63]++
	}
	return estimate(&histogram), nil
}

// Cached returns the count that s carries, if it still holds.
func Cached(s string) (int64, bool) {
	if Validate(s) != nil || s[headerLen-1]&staleBit != 0 {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64([]byte(s[countAt:headerLen]))), true
}

// WithCount returns s carrying its count, which must come from [Count]. Redis stores
// that after PFCOUNT of one key.
func WithCount(s string, count int64) (string, error) {
	if err := Validate(s); err != nil {
		return "", err
	}
	b := []byte(s)
	binary.LittleEndian.PutUint64(b[countAt:headerLen], uint64(count))
	return string(b), nil
}

// mergeInto raises each register of union to that of s.
func mergeInto(union *[registers]uint8, s string) error {
	if err := Validate(s); err != nil {
		return err
	}
	body := s[headerLen:]
	if s[encodingAt] == dense {
		for i := 0; i < registers; i += 4 { // four registers are three bytes
			a, b, c := body[i/4*3], body[i/4*3+1], body[i/4*3+2]
			union[i] = max(union[i], a&63)
			union[i+1] = max(union[i+1], a>>6|b<<2&63)
			union[i+2] = max(union[i+2], b>>4|c<<4&63)
			union[i+3] = max(union[i+3], c>>2)
		}
		return nil
	}
	index := 0
	for at := 0; at < len(body); {
		r, ok := runAt(body, at)
		if !ok || index+r.span > registers {
			return ErrCorrupt
		}
		if r.value > 0 {
			for i := index; i < index+r.span; i++ {
				union[i] = max(union[i], r.value)
			}
		}
		index += r.span
		at += r.size
	}
	if index != registers {
		return ErrCorrupt
	}
	return nil
}
