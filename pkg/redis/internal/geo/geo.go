package geo

import (
	"math"
	"strconv"
	"strings"
)

// Limits of what can be encoded, in degrees. The latitudes are those of the square
// Mercator map (EPSG:3857).
const (
	MaxLongitude = 180.0
	MaxLatitude  = 85.05112878
)

const (
	earthRadius = 6372797.560856 // metres
	maxStep     = 26             // bits of each coordinate in a score
)

// Point is a position in degrees.
type Point struct {
	Longitude, Latitude float64
}

// Valid tells whether p can be encoded. If not, Redis answers "ERR invalid
// longitude,latitude pair %f,%f".
func (p Point) Valid() bool {
	return math.Abs(p.Longitude) <= MaxLongitude && math.Abs(p.Latitude) <= MaxLatitude
}

// Encode returns the score of a valid point, a whole number.
func Encode(p Point) float64 {
	x, y := gridCell(p, maxStep, MaxLatitude)
	return float64(interleave(x, y))
}

// Decode returns the point that a score stands for, the middle of its cell: up to 0.6 m
// from the one that was encoded. Scores that are no geohash decode as in Redis.
func Decode(score float64) Point {
	x, y := deinterleave(scoreBits(score))
	return cellArea(x, y, maxStep).center()
}

// scoreBits converts a score as C does on x86-64, for scores that were not encoded.
func scoreBits(score float64) uint64 {
	switch {
	case score >= 0 && score < 1<<64:
		return uint64(score)
	case score < 0 && score >= -1<<63:
		return uint64(int64(score))
	}
	return 0
}

// Hash returns the standard geohash of a score in 11 characters (https://geohash.org).
// It is computed over latitudes from -90 to 90, hence from the decoded point; as there
// are 52 bits, the last character is always 0.
func Hash(score float64) string {
	const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"
	x, y := gridCell(Decode(score), maxStep, 90)
	bits := interleave(x, y)
	var hash [11]byte
	for i := range 10 {
		hash[i] = alphabet[bits>>(2*maxStep-5*(i+1))&31]
	}
	hash[10] = '0'
	return string(hash[:])
}

// Distance returns the metres between two points along the sphere (haversine formula).
func Distance(a, b Point) float64 {
	v := math.Sin((radians(b.Longitude) - radians(a.Longitude)) / 2)
	if v == 0 {
		return latitudeDistance(a, b)
	}
	aLat, bLat := radians(a.Latitude), radians(b.Latitude)
	u := math.Sin((bLat - aLat) / 2)
	h := float64(u*u) + float64(math.Cos(aLat)*math.Cos(bLat)*v*v)
	return 2 * earthRadius * math.Asin(math.Sqrt(h))
}

func latitudeDistance(a, b Point) float64 {
	return earthRadius * math.Abs(radians(b.Latitude)-radians(a.Latitude))
}

func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }
func degrees(radians float64) float64 { return radians / (math.Pi / 180) }

// Unit returns the metres in a unit of distance: m, km, ft or mi, in any case. When it
// is not ok, Redis answers "ERR unsupported unit provided. please use M, KM, FT, MI".
func Unit(name string) (meters float64, ok bool) {
	switch strings.ToLower(name) {
	case "m":
		return 1, true
	case "km":
		return 1000, true
	case "ft":
		return 0.3048, true
	case "mi":
		return 1609.34, true
	}
	return 0, false
}

// FormatDistance prints a distance, in any unit, as replies do: four decimals.
// Coordinates are printed by num.FormatHuman.
func FormatDistance(d float64) string { return strconv.FormatFloat(d, 'f', 4, 64) }

// area is a cell in degrees.
type area struct {
	minLon, maxLon, minLat, maxLat float64
}

func (a area) center() Point {
	return Point{
		Longitude: min(max((a.minLon+a.maxLon)/2, -MaxLongitude), MaxLongitude),
		Latitude:  min(max((a.minLat+a.maxLat)/2, -MaxLatitude), MaxLatitude),
	}
}

// gridCell returns the column and row of p in a grid of 2^step by 2^step cells. On the
// upper limits they are 2^step, one beyond the last.
func gridCell(p Point, step int, maxLat float64) (x, y uint32) {
	cells := float64(uint64(1) << step)
	lon := (p.Longitude + MaxLongitude) / (2 * MaxLongitude)
	lat := (p.Latitude + maxLat) / (2 * maxLat)
	return uint32(lon * cells), uint32(lat * cells)
}

func cellArea(x, y uint32, step int) area {
	cells := float64(uint64(1) << step)
	edge := func(i uint32, plus, limit float64) float64 {
		return float64((float64(i)+plus)/cells*(2*limit)) - limit
	}
	return area{
		minLon: edge(x, 0, MaxLongitude), maxLon: edge(x, 1, MaxLongitude),
		minLat: edge(y, 0, MaxLatitude), maxLat: edge(y, 1, MaxLatitude),
	}
}

// interleave puts the bits of x in the odd places of a number and those of y in the even.
func interleave(x, y uint32) uint64 { return spread(x)<<1 | spread(y) }

func deinterleave(bits uint64) (x, y uint32) { return squeeze(bits >> 1), squeeze(bits) }

// spread moves bit i to bit 2i.
func spread(v uint32) uint64 {
	b := uint64(v)
	b = (b | b<<16) & 0x0000ffff0000ffff
	b = (b | b<<8) & 0x00ff00ff00ff00ff
	b = (b | b<<4) & 0x0f0f0f0f0f0f0f0f
	b = (b | b<<2) & 0x3333333333333333
	return (b | b<<1) & 0x5555555555555555
}

// squeeze moves bit 2i to bit i and drops the odd ones.
func squeeze(b uint64) uint32 {
	b &= 0x5555555555555555
	b = (b | b>>1) & 0x3333333333333333
	b = (b | b>>2) & 0x0f0f0f0f0f0f0f0f
	b = (b | b>>4) & 0x00ff00ff00ff00ff
	b = (b | b>>8) & 0x0000ffff0000ffff
	return uint32(b | b>>16)
}
