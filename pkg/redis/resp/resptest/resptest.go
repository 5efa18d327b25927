// Package resptest reads replies of Redis's protocol as they are, for tests that compare them byte by byte.
package resptest

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// Read returns the bytes of one reply or message, in RESP2 or RESP3. With an error it returns what has come until then.
func Read(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return line, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line, nil
		}
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return line + string(b), err
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return line, nil
	}
	for range n {
		next, err := Read(r)
		if line += next; err != nil {
			return line, err
		}
	}
	return line, nil
}
