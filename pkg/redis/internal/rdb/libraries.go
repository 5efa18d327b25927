package rdb

import "encoding/binary"

// opFunction precedes the source of a function library in a payload of FUNCTION DUMP.
const opFunction = 0xf5

// versionFunctions is Redis 7.0's, which introduced libraries.
const versionFunctions = 10

// DumpLibraries returns the payload of FUNCTION DUMP for the sources of libraries.
func DumpLibraries(sources []string) string {
	var b []byte
	for _, s := range sources {
		b = append(b, opFunction)
		b = append(appendLen(b, uint64(len(s))), s...)
	}
	b = binary.LittleEndian.AppendUint16(b, versionFunctions)
	b = binary.LittleEndian.AppendUint64(b, checksum(b))
	return string(b)
}

// LoadLibraries returns the sources of the libraries in a payload. Errors are as those of Load. It reads one more than most at
// most, and up to size bytes of sources that are compressed.
func LoadLibraries(payload string, most, size int) ([]string, error) {
	d, err := open(payload)
	if err != nil {
		return nil, err
	}
	d.budget = size
	var sources []string
	for d.rest != "" && d.err == nil && len(sources) <= most {
		if op := d.little(1); op != opFunction {
			d.fail("opcode %d is no library", op)
			break
		}
		sources = append(sources, d.string())
	}
	return sources, d.err
}
