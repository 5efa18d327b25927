//go:build unix && !linux

package conns

import (
	"errors"
	"syscall"
)

// TryRead reads from a socket that does not block, and TryWrite writes to one. The error is a syscall.Errno, EAGAIN if nothing
// can be done now.
func TryRead(fd uintptr, p []byte) (n int, err error) {
	return try(func() (int, error) { return syscall.Read(int(fd), p) })
}

// TryWrite is like TryRead.
func TryWrite(fd uintptr, p []byte) (n int, err error) {
	return try(func() (int, error) { return syscall.Write(int(fd), p) })
}

func try(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return max(n, 0), err
		}
	}
}
