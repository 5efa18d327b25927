package resp

import (
	"fmt"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/refusal"
)

// Types that Decode uses so that no two different replies become the same value.
type (
	Simple string // a simple string
	Map    []any  // a map: key, value, key, value ..., in the order written
	Set    []any  // a set, in the order written
	Pairs  []any  // pairs: one, its value, the next ...
	Rows   []any  // rows, each of them []any
	Text   string // a text for people
	Push   []any  // a message that is no reply: its kind, then what it says
)

// Error is an error: its code and text. Those who do not write replies know it as refusal.Error.
type Error = refusal.Error

// Decode turns a reply, which must be exactly one, into Go values: string (a
// bulk string), int64, float64, bool, nil, []any (nil for the null array),
// Simple, Error, Map, Set, Pairs, Rows, Text and Push. It is meant for tests and tools; what sends
// replies converts the bytes directly.
func Decode(reply []byte) (any, error) {
	v, rest, err := decode(reply, 0)
	if err == nil && len(rest) > 0 {
		err = malformed("bytes after the reply")
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func decode(b []byte, depth int) (any, []byte, error) {
	v, b, err := Next(b)
	if err != nil {
		return nil, nil, err
	}
	switch v.Type {
	case TypeSimple:
		return Simple(v.Text), b, nil
	case TypeError:
		return Error(v.Text), b, nil
	case TypeBulk:
		return string(v.Text), b, nil
	case TypeVerbatim:
		return Text(v.Text), b, nil
	case TypeInt:
		return v.Int, b, nil
	case TypeBool:
		return v.Int == 1, b, nil
	case TypeDouble:
		f, err := strconv.ParseFloat(string(v.Text), 64)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: double: %w", ErrMalformed, err)
		}
		return f, b, nil
	case TypeNull:
		return nil, b, nil
	case TypeNullArr:
		return []any(nil), b, nil
	}
	if depth == MaxDepth {
		return nil, nil, malformed("nested too deep")
	}
	members := make([]any, v.Len)
	for i := range members {
		if members[i], b, err = decode(b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	switch v.Type {
	case TypeMap:
		return Map(members), b, nil
	case TypeSet:
		return Set(members), b, nil
	case TypePairs:
		return Pairs(members), b, nil
	case TypeRows:
		return Rows(members), b, nil
	case TypePush:
		return Push(members), b, nil
	}
	return members, b, nil
}
