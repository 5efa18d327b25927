package redis_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// sealed is a dump of a body, with the checksum that belongs to it.
func sealed(body []byte) string {
	body = append(body, 11, 0)
	return string(binary.LittleEndian.AppendUint64(body, ^crc64.Update(^uint64(0), crc64.MakeTable(0x95ac9329ac4bc9b5), body)))
}

// lengthOf is a length of a dump, in four bytes.
func lengthOf(n int) []byte { return binary.BigEndian.AppendUint32([]byte{0x80}, uint32(n)) }

// repeated is a compressed string of a dump: a prefix, a byte 264 times n and once more, and a suffix. The prefix and the suffix
// are short.
func repeated(prefix string, c byte, n int, suffix string) []byte {
	block := append([]byte{byte(len(prefix))}, prefix...)
	block = append(block, c)
	for range n {
		block = append(block, 0xe0, 255, 0)
	}
	if suffix != "" {
		block = append(append(block, byte(len(suffix)-1)), suffix...)
	}
	out := append([]byte{0xc3}, lengthOf(len(block))...)
	return append(append(out, lengthOf(len(prefix)+1+264*n+len(suffix))...), block...)
}

// What a dump decodes to is part of the request's budget before it is decoded: a few KB may stand for very much.
func TestRestoreOfWhatDecodesToMuch(t *testing.T) {
	const (
		memory = "-ERR max request memory exceeded"
	)
	listpack := func(n int) []byte { // of the number 1, 132 times n
		header := binary.LittleEndian.AppendUint32(nil, uint32(6+1+264*n+2))
		return repeated(string(append(header, 0xff, 0xff)), 1, n, "\x01\xff")
	}
	json := rdb.Dump(rdb.Value{Kind: rdb.JSON, JSON: ""})
	head := []byte(json[:len(json)-10-2]) // without the text's length, and the end of the value
	var libraries []byte
	for i := range 200 {
		source := fmt.Sprintf("#!lua name=l%d\nredis.register_function('f%d', function() end)", i, i)
		libraries = append(append(append(libraries, 0xf5), lengthOf(len(source))...), source...)
	}
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"a list", []string{"restore", "k", "0", sealed(append([]byte{18, 1, 2}, listpack(14_000)...))}, memory},
		{"a set", []string{"restore", "k", "0", sealed(append([]byte{20}, listpack(14_000)...))}, memory},
		{"a list of one text", []string{"restore", "k", "0", sealed(append([]byte{18, 1, 1}, repeated("", 'x', 500_000, "")...))}, memory},
		{"empty texts", []string{"restore", "k", "0", sealed(append(append([]byte{1}, lengthOf(900_000)...), make([]byte, 900_000)...))}, memory},
		{"blanks of JSON", []string{"restore", "k", "0", sealed(append(append(head[:len(head):len(head)], repeated("[", ' ', 340_000, "]")...), 0))}, memory},
		{"lists of JSON", []string{"restore", "k", "0", sealed(append(append(head[:len(head):len(head)], repeated("[", '[', 340_000, "]")...), 0))}, memory},
		{"many libraries", []string{"function", "restore", sealed(libraries)}, "-ERR a database can have 90 function libraries"},
		{"a long library", []string{"function", "restore", sealed(append([]byte{0xf5}, repeated("#!lua name=l\n", ' ', 340_000, "")...))}, "-ERR DUMP payload"},
		{"a text of 10 MB", []string{"restore", "k", "0", sealed(append([]byte{0}, repeated("", 'x', 39_000, "")...))}, "+OK"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newTestEngine(t)
			db := d.database()
			var w resp.Writer
			bytes := allocated(func() {
				if err := d.e.Do(t.Context(), db, redis.Access{}, tc.args, &w); err != nil {
					t.Error(err)
				}
			})
			if got := string(w.Buf); !strings.HasPrefix(got, tc.want) || bytes > 250<<20 {
				t.Errorf("%d KB are answered %.100q, after %d MiB were allocated", len(tc.args[len(tc.args)-1])>>10, got, bytes>>20)
			}
		})
	}
}
