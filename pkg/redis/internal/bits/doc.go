// Package bits works on strings as Redis's bitmap commands do: GETBIT, SETBIT,
// BITCOUNT, BITPOS, BITOP and BITFIELD
// (https://redis.io/docs/latest/develop/data-types/bitmaps/).
//
// Bits are numbered from the most significant bit of the first byte: offset 0 is
// 0x80 of byte 0. A string reads as if zeros followed its end, and grows when a bit
// beyond it is written, up to [MaxOffset].
package bits
