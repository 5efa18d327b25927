// Package geo is the arithmetic of Redis's geospatial commands: positions as scores of
// a sorted set, distances, and which ranges of scores a search has to read
// (https://redis.io/docs/latest/commands/geoadd/).
//
// Longitudes and latitudes are in degrees (WGS 84), distances in metres on a sphere of
// radius 6372797.560856 m. A score is a 52-bit geohash: longitude and latitude are each
// quantised to 26 bits of their range, -180 to 180 and -85.05112878 to 85.05112878, and
// interleaved, the longitude's bits above the latitude's. Cells of a coarser grid are
// thus ranges of scores, and a search reads at most nine neighbouring cells, besides
// what lies exactly on the grid's upper edges.
//
// Results equal those of Redis on x86-64. Products are rounded before they are added
// (the conversions to float64 forbid fused multiply-add), so that arm64 agrees.
package geo
