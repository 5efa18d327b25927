package dynamo

import (
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// sortRange is a range of sort keys with both ends included, as BETWEEN takes
// it. "" is no bound.
type sortRange struct {
	low, high string
	prefix    bool // low is a prefix, and the range all that starts with it
	empty     bool // nothing can be in the range
}

// keyRange turns the bounds of a query, the upper of which is exclusive, into
// an equivalent range of keys that DynamoDB accepts.
func keyRange(from, to string) sortRange {
	if from != "" && len(from) <= store.MaxSortKey && to == store.PrefixEnd(from) {
		return sortRange{low: from, prefix: true}
	}
	r := sortRange{low: from}
	if len(from) > store.MaxSortKey {
		// No key lies between the longest keys and what only extends them.
		r.low = store.PrefixEnd(from[:store.MaxSortKey])
		if r.low == "" {
			return sortRange{empty: true}
		}
	}
	if to != "" {
		r.high = predecessor(to)
		if r.high == "" || r.high < r.low {
			return sortRange{empty: true}
		}
	}
	return r
}

// predecessor is the greatest sort key less than s, "" if there is none.
func predecessor(s string) string {
	if len(s) > store.MaxSortKey {
		return s[:store.MaxSortKey]
	}
	last := len(s) - 1
	if s[last] == 0 {
		return s[:last]
	}
	var b strings.Builder
	b.Grow(store.MaxSortKey)
	b.WriteString(s[:last])
	b.WriteByte(s[last] - 1)
	for b.Len() < store.MaxSortKey {
		b.WriteByte(0xff)
	}
	return b.String()
}
