//go:build !unix

package wire

import "io"

// rawReader reads from a TCP connection; here there is none.
type rawReader struct{}

func newRawReader(io.Reader, func() []byte, func()) *rawReader { return nil }

func (r *rawReader) read() (int, error) { return 0, io.EOF }
