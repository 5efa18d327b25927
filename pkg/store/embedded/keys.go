package embedded

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// First bytes of the engine's keys, see the package's documentation.
const (
	spaceData   = 'd'
	spaceExpiry = 'x'
	spaceMeta   = 'm'
)

// The end of an escaped partition. The last byte is between those of an escaped
// zero (00 FF) and of nothing, hence partitionEnd follows every sort key.
const (
	partitionStop = "\x00\x01"
	partitionEnd  = "\x00\x02"
)

// expiryHead is the length of what precedes the item's own key in an index key.
const expiryHead = 1 + 8

// appendPartition appends the escaped partition, without its end.
func appendPartition(b []byte, partition string) []byte {
	for {
		i := strings.IndexByte(partition, 0)
		if i < 0 {
			return append(b, partition...)
		}
		b = append(b, partition[:i]...)
		b = append(b, 0, 0xff)
		partition = partition[i+1:]
	}
}

// appendDataKey appends the engine's key of an item.
func appendDataKey(b []byte, k store.Key) []byte {
	b = appendPartition(append(b, spaceData), k.Partition)
	b = append(b, partitionStop...)
	return append(b, k.Sort...)
}

// appendRange appends the bounds, lower inclusive and upper exclusive, of a
// part of a partition; from and to are as in store.Query. The bounds share b.
func appendRange(b []byte, partition, from, to string) (lower, upper []byte) {
	b = appendPartition(append(b, spaceData), partition)
	prefix := len(b)
	b = append(append(b, partitionStop...), from...)
	lower = b
	b = append(b, lower[:prefix]...)
	if to == "" {
		b = append(b, partitionEnd...)
	} else {
		b = append(append(b, partitionStop...), to...)
	}
	n := len(lower)
	return b[:n:n], b[n:]
}

// appendExpiryKey appends the index key of the item with the given data key.
func appendExpiryKey(b []byte, at int64, dataKey []byte) []byte {
	b = append(b, spaceExpiry)
	b = binary.BigEndian.AppendUint64(b, uint64(at)^(1<<63))
	return append(b, dataKey[1:]...)
}

// splitExpiryKey takes an index key apart; it appends the data key to b.
func splitExpiryKey(b, key []byte) (at int64, dataKey []byte, err error) {
	if len(key) <= expiryHead || key[0] != spaceExpiry {
		return 0, nil, fmt.Errorf("malformed expiry key %q", key)
	}
	at = int64(binary.BigEndian.Uint64(key[1:]) ^ (1 << 63))
	return at, append(append(b, spaceData), key[expiryHead:]...), nil
}

// keyText names an item in messages.
func keyText(k store.Key) string { return strconv.Quote(k.Partition) + "/" + strconv.Quote(k.Sort) }

// checkKey says whether a key is within the limits.
func checkKey(k store.Key) error {
	switch {
	case k.Partition == "" || k.Sort == "":
		return fmt.Errorf("embedded: key %s: neither part may be empty", keyText(k))
	case len(k.Partition) > store.MaxPartitionKey:
		return fmt.Errorf("embedded: partition key of %d bytes: %w", len(k.Partition), store.ErrTooLarge)
	case len(k.Sort) > store.MaxSortKey:
		return fmt.Errorf("embedded: sort key of %d bytes: %w", len(k.Sort), store.ErrTooLarge)
	}
	return nil
}
