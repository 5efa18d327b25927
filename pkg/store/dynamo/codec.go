package dynamo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
)

// item is an item, or a key, as the client wants it.
type item = map[string]types.AttributeValue

// binary wraps a string without copying it: the client only reads the bytes,
// to encode them.
func binary(s string) *types.AttributeValueMemberB {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	if b == nil {
		b = []byte{} // nil would be sent as null
	}
	return &types.AttributeValueMemberB{Value: b}
}

// text takes over bytes that the client has decoded, and that nobody else refers to.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func encodeKey(k store.Key) item {
	return item{partitionAttr: binary(k.Partition), sortAttr: binary(k.Sort)}
}

func encodeItem(k store.Key, attrs store.Attrs) item {
	it := make(item, len(attrs)+2)
	it[partitionAttr] = binary(k.Partition)
	it[sortAttr] = binary(k.Sort)
	for _, a := range attrs {
		it[a.Name] = encode(a.Value)
	}
	return it
}

func encode(v store.Value) types.AttributeValue {
	switch v.Kind() {
	case store.KindBytes:
		return binary(v.Str())
	case store.KindInt:
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(v.Num(), 10)}
	case store.KindList:
		list := make([]types.AttributeValue, len(v.Elems()))
		for i, e := range v.Elems() {
			list[i] = binary(e)
		}
		return &types.AttributeValueMemberL{Value: list}
	}
	return nil
}

// decodeItem makes Attrs of an item; nil if there is none.
func decodeItem(it item) (store.Attrs, error) {
	if len(it) == 0 {
		return nil, nil
	}
	attrs := make(store.Attrs, 0, len(it))
	for name, av := range it {
		if name == partitionAttr || name == sortAttr {
			continue
		}
		v, err := decode(av)
		if err != nil {
			return nil, fmt.Errorf("dynamo: attribute %q: %w", name, err)
		}
		attrs = append(attrs, store.Attr{Name: name, Value: v})
	}
	slices.SortFunc(attrs, func(a, b store.Attr) int { return strings.Compare(a.Name, b.Name) })
	return attrs, nil
}

func decode(av types.AttributeValue) (store.Value, error) {
	switch av := av.(type) {
	case *types.AttributeValueMemberB:
		return store.Bytes(text(av.Value)), nil
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(av.Value, 10, 64)
		if err != nil {
			return store.Value{}, fmt.Errorf("not a 64-bit integer: %w", err)
		}
		return store.Int(n), nil
	case *types.AttributeValueMemberL:
		list := make([]string, len(av.Value))
		for i, e := range av.Value {
			b, ok := e.(*types.AttributeValueMemberB)
			if !ok {
				return store.Value{}, fmt.Errorf("list of %T", e)
			}
			list[i] = text(b.Value)
		}
		return store.List(list), nil
	}
	return store.Value{}, fmt.Errorf("unexpected type %T", av)
}

// decodeKey reads an item's key.
func decodeKey(it item) (store.Key, error) {
	p, ok1 := it[partitionAttr].(*types.AttributeValueMemberB)
	s, ok2 := it[sortAttr].(*types.AttributeValueMemberB)
	if !ok1 || !ok2 {
		return store.Key{}, fmt.Errorf("dynamo: item without a binary key")
	}
	return store.Key{Partition: text(p.Value), Sort: text(s.Value)}, nil
}
