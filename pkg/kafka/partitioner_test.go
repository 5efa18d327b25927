package kafka

import "testing"

// The vectors are those of Kafka's own clients.
func TestKeyedMessagesGoWhereKafkasDefaultPutsThem(t *testing.T) {
	for _, c := range []struct {
		key          string
		hash         int32
		of3, of12, n int
	}{
		{"", 275646681, 0, 9, 81},
		{"a", -1563381124, 1, 4, 24},
		{"21", -973932308, 0, 0, 40},
		{"foobar", -790332482, 0, 6, 66},
		{"k0", -704538303, 2, 5, 45},
		{"k1", 1684045097, 2, 5, 97},
		{"city", -153862537, 1, 7, 11},
		{"a-little-bit-long-string", -985981536, 2, 8, 12},
		{"a-little-bit-longer-string", -1486304829, 2, 11, 19},
		{"İstanbul", 1764130002, 0, 6, 2},
	} {
		b := []byte(c.key)
		if got := int32(murmur2(b)); got != c.hash {
			t.Errorf("%q: hash %d, want %d", c.key, got, c.hash)
		}
		if a, b, n := partitionOf(b, 3), partitionOf(b, 12), partitionOf(b, 100); a != c.of3 || b != c.of12 || n != c.n {
			t.Errorf("%q: partitions %d, %d, %d, want %d, %d, %d", c.key, a, b, n, c.of3, c.of12, c.n)
		}
	}
}
