package geo

import "math"

// Area is what GEOSEARCH looks in: make one with [Circle] or [Box].
type Area struct {
	center        Point
	radius        float64 // of a circle
	width, height float64 // of a box
	box           bool
}

// Circle is the area within radius metres of a valid point.
func Circle(center Point, radius float64) Area { return Area{center: center, radius: radius} }

// Box is the area around a valid point that is width metres wide, measured along each
// parallel, and height metres high.
func Box(center Point, width, height float64) Area {
	return Area{center: center, width: width, height: height, box: true}
}

// Contains tells whether p is in the area and how many metres it is from the center.
func (a Area) Contains(p Point) (distance float64, ok bool) {
	if a.box {
		if latitudeDistance(p, a.center) > a.height/2 {
			return 0, false
		}
		sameParallel := Point{Longitude: a.center.Longitude, Latitude: p.Latitude}
		if Distance(p, sameParallel) > a.width/2 {
			return 0, false
		}
		return Distance(a.center, p), true
	}
	distance = Distance(a.center, p)
	return distance, distance <= a.radius
}

// Range is the scores from Min up to but not including Max.
type Range struct {
	Min, Max float64
}

// Ranges returns the ranges of scores that hold every point of the area, and others
// besides: each still needs [Area.Contains]. They do not overlap. Their order is
// Redis's, so that reading them one after the other gives unsorted results in its
// order; where Redis's own ranges would miss points (around the poles and on the upper
// limits of the coordinates) there are more.
func (a Area) Ranges() []Range {
	bounds := a.bounds()
	step := a.step()
	x, y := a.centerCell(step)
	if step > 1 && !redisCovers(bounds, x, y, step) {
		step--
		x, y = a.centerCell(step)
	}
	for step > 1 && !covers(bounds, x, y, step) {
		step--
		x, y = a.centerCell(step)
	}
	// Whole sides are left out when the center's cell reaches beyond the bounds. At step
	// 1 a cell's neighbours are the same on both sides.
	center := cellArea(x, y, step)
	west, east, south, north := true, true, true, true
	if step >= 2 {
		south = center.minLat >= bounds.minLat
		north = center.maxLat <= bounds.maxLat
		west = center.minLon >= bounds.minLon
		east = center.maxLon <= bounds.maxLon
	}
	var ranges []Range
	add := func(dx, dy int, wanted bool) {
		if !wanted {
			return
		}
		cells := uint32(1) << step
		nx, ny := (x+uint32(dx))&(cells-1), (y+uint32(dy))&(cells-1)
		ranges = appendCell(ranges, nx, ny, step)
		// Points on the upper limits lie in cells of their own, beyond the last ones.
		lastX, lastY := nx == cells-1, ny == cells-1
		if lastX {
			ranges = appendCell(ranges, cells, ny, step)
		}
		if lastY {
			ranges = appendCell(ranges, nx, cells, step)
		}
		if lastX && lastY {
			ranges = appendCell(ranges, cells, cells, step)
		}
	}
	add(0, 0, true)
	add(0, 1, north)
	add(0, -1, south)
	add(1, 0, east)
	add(-1, 0, west)
	add(1, 1, north && east)
	add(-1, 1, north && west)
	add(1, -1, south && east)
	add(-1, -1, south && west)
	return ranges
}

// appendCell adds a cell's range unless it is there already.
func appendCell(ranges []Range, x, y uint32, step int) []Range {
	shift := 2 * (maxStep - step)
	bits := interleave(x, y)
	r := Range{Min: float64(bits << shift), Max: float64((bits + 1) << shift)}
	for _, seen := range ranges {
		if seen == r {
			return ranges
		}
	}
	return append(ranges, r)
}

// centerCell is the cell of the area's center, kept inside the grid.
func (a Area) centerCell(step int) (x, y uint32) {
	x, y = gridCell(a.center, step, MaxLatitude)
	last := uint32(1)<<step - 1
	return min(x, last), min(y, last)
}

// step estimates the finest grid in which the area fits into a cell and its neighbours.
func (a Area) step() int {
	const mercatorMax = 20037726.37 // metres from the middle of the map to its edge
	reach := a.radius
	if a.box {
		reach = math.Sqrt(float64(a.width/2*(a.width/2)) + float64(a.height/2*(a.height/2)))
	}
	if reach <= 0 {
		return maxStep
	}
	step := 1
	for reach < mercatorMax && step < 2*maxStep {
		reach *= 2
		step++
	}
	step -= 2
	switch lat := math.Abs(a.center.Latitude); { // cells are narrower towards the poles
	case lat > 80:
		step -= 2
	case lat > 66:
		step--
	}
	return min(max(step, 1), maxStep)
}

// bounds returns limits of the area in degrees. Longitudes may pass 180, latitudes the
// poles.
func (a Area) bounds() area {
	halfWidth, halfHeight := a.radius, a.radius
	if a.box {
		halfWidth, halfHeight = a.width/2, a.height/2
	}
	lat := a.center.Latitude
	dLat := degrees(halfHeight / earthRadius)
	// Parallels are shortest on the side of the nearer pole.
	farthest := math.Abs(lat) + dLat
	dLon := 2 * MaxLongitude
	if farthest < 90 {
		dLon = degrees(halfWidth / earthRadius / math.Cos(radians(farthest)))
	}
	if a.box {
		// A distance of halfWidth between points of a parallel, which is no great circle,
		// is more degrees than that.
		s := math.Sin(min(halfWidth/earthRadius, math.Pi)/2) / math.Cos(radians(min(farthest, MaxLatitude)))
		if s < 1 && halfWidth/earthRadius < math.Pi {
			dLon = max(dLon, degrees(2*math.Asin(s)))
		} else {
			dLon = 2 * MaxLongitude
		}
	}
	return area{
		minLon: a.center.Longitude - dLon, maxLon: a.center.Longitude + dLon,
		minLat: lat - dLat, maxLat: lat + dLat,
	}
}

// redisCovers is Redis's test whether a cell and its neighbours reach the bounds. At
// the edges of the map it looks at the neighbours on the other side, and says no.
func redisCovers(bounds area, x, y uint32, step int) bool {
	last := uint32(1)<<step - 1
	return cellArea(x, (y+1)&last, step).maxLat >= bounds.maxLat &&
		cellArea(x, (y-1)&last, step).minLat <= bounds.minLat &&
		cellArea((x+1)&last, y, step).maxLon >= bounds.maxLon &&
		cellArea((x-1)&last, y, step).minLon <= bounds.minLon
}

// covers tells whether a cell and its neighbours hold all points within the bounds.
func covers(bounds area, x, y uint32, step int) bool {
	center := cellArea(x, y, step)
	width, height := center.maxLon-center.minLon, center.maxLat-center.minLat
	return center.maxLon+width >= bounds.maxLon && center.minLon-width <= bounds.minLon &&
		center.maxLat+height >= min(bounds.maxLat, MaxLatitude) && center.minLat-height <= max(bounds.minLat, -MaxLatitude)
}
