package keyspace

import (
	"fmt"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/refusal"
)

// ErrWrongType refuses a key that holds a value of another type.
const ErrWrongType refusal.Error = "WRONGTYPE Operation against a key holding the wrong kind of value"

// ErrKeySize refuses a key of more than MaxKeySize bytes.
func ErrKeySize(n int) refusal.Error {
	return refusal.Error(fmt.Sprintf("ERR max key size exceeded. Limit: %d bytes, Actual: %d bytes", MaxKeySize, n))
}

// MaxRecord bounds a string, in bytes, as the service we imitate does.
const MaxRecord = 100 << 20

// ErrRecordSize refuses a value of more than MaxRecord bytes.
func ErrRecordSize(n int64) refusal.Error {
	return refusal.Error("ERR max single record size exceeded. Limit: " + strconv.Itoa(MaxRecord) + " bytes, Actual: " + strconv.FormatInt(n, 10) + " bytes")
}
