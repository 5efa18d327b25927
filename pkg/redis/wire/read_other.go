//go:build !unix

package wire

import "io"

// rawReader reads from a TCP connection; here there is none.
type rawReader struct{}

func newRawReader(io.Reader, func() []byte, func()) *rawReader { return nil }

func (r *rawReader) read() (int, error) { return 0, io.EOF }

// rawWriter writes to a TCP connection what it takes at once; here there is none.
type rawWriter struct{}

func newRawWriter(io.Writer) *rawWriter { return nil }

func (w *rawWriter) write([]byte) int { return 0 }
