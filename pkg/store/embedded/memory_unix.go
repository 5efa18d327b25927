//go:build unix

package embedded

import "syscall"

// takeMemory takes memory of zeros from the system, which gives room to those pages of it that are written to.
func takeMemory(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func giveMemory(b []byte) error { return syscall.Munmap(b) }
