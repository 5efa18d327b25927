package redis

import (
	"fmt"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/resp"
)

const errWrongType resp.Error = "WRONGTYPE Operation against a key holding the wrong kind of value"

func errKeySize(n int) resp.Error {
	return resp.Error(fmt.Sprintf("ERR max key size exceeded. Limit: %d bytes, Actual: %d bytes", maxKeySize, n))
}

// maxRecord bounds a string, in bytes, as the service we imitate does.
const maxRecord = 100 << 20

func errRecordSize(n int64) resp.Error {
	return resp.Error("ERR max single record size exceeded. Limit: " + strconv.Itoa(maxRecord) + " bytes, Actual: " + strconv.FormatInt(n, 10) + " bytes")
}
