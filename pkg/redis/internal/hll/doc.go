// Package hll is Redis's HyperLogLog: PFADD, PFCOUNT and PFMERGE on the very strings
// Redis keeps, so that values move between the two byte for byte and counts agree.
//
// # The string
//
//	4 bytes   "HYLL"
//	1 byte    encoding: 0 dense, 1 sparse
//	3 bytes   zero
//	8 bytes   the last count, little-endian; highest bit set: no longer valid
//	the rest  16384 registers of 6 bits
//
// Dense registers are packed from the low bits of each byte on, 12288 bytes in all.
// Sparse ones are runs:
//
//	00nnnnnn            n+1 registers are 0
//	01nnnnnn nnnnnnnn   n+1 registers are 0
//	1vvvvvnn            n+1 registers are v+1
//
// A sparse string becomes a dense one when it would pass 3000 bytes or needs a register
// above 32. An element's register is the low 14 bits of its MurmurHash64A; the register
// keeps the largest "1 + trailing zeros of the other 50 bits" seen.
//
// Counts use the estimator of Otmar Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches" (arXiv:1702.01284), algorithm 6, as Redis does since 4.0.
package hll
