package hll

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// registerOf returns the register of an element and the rank it gives it.
func registerOf(element string) (index int, rank uint8) {
	h := murmur64A(element, 0xadc83b19)
	return int(h & (registers - 1)), uint8(bits.TrailingZeros64(h>>indexBits|1<<rankBits)) + 1
}

// murmur64A is Austin Appleby's MurmurHash64A (MurmurHash2 for 64-bit machines, public
// domain), little-endian on every machine.
func murmur64A(s string, seed uint64) uint64 {
	const (
		m = 0xc6a4a7935bd1e995
		r = 47
	)
	h := seed ^ uint64(len(s))*m
	var block [8]byte
	for len(s) >= 8 {
		copy(block[:], s)
		k := binary.LittleEndian.Uint64(block[:]) * m
		k ^= k >> r
		h = (h ^ k*m) * m
		s = s[8:]
	}
	if len(s) > 0 {
		for i := range len(s) {
			h ^= uint64(s[i]) << (8 * i)
		}
		h *= m
	}
	h = (h ^ h>>r) * m
	return h ^ h>>r
}

// estimate counts from how many registers have each value. Products are rounded before
// they are added (the conversions forbid fused multiply-add), so that every machine
// gives the count Redis gives on x86-64.
func estimate(histogram *[64]int) int64 {
	const (
		m           = float64(registers)
		alphaInf    = 0.721347520444481703680 // 1 / (2 ln 2)
		highestRank = rankBits + 1
	)
	z := float64(m * tau((m-float64(histogram[highestRank]))/m))
	for rank := rankBits; rank >= 1; rank-- {
		z = (z + float64(histogram[rank])) * 0.5
	}
	z += float64(m * sigma(float64(histogram[0])/m))
	return int64(math.Round(alphaInf * m * m / z))
}

// sigma corrects for the registers that are still 0: x + Σ x^(2^k) 2^(k-1).
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}

// tau corrects for the registers that cannot rise: (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == before {
			return z / 3
		}
	}
}
