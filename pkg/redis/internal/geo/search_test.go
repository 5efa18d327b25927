package geo

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// search does what GEOSEARCH does with the places, unsorted.
func search(a Area) []string {
	var found []string
	for _, r := range a.Ranges() {
		var in []string
		for name, p := range places {
			if score := Encode(p); score >= r.Min && score < r.Max {
				in = append(in, name)
			}
		}
		slices.SortFunc(in, func(x, y string) int { return int(Encode(places[x]) - Encode(places[y])) })
		for _, name := range in {
			if d, ok := a.Contains(places[name]); ok {
				found = append(found, name+" "+FormatDistance(d/1000))
			}
		}
	}
	return found
}

// GEOSEARCH ... WITHDIST in kilometres of Redis 7.0.15, in its order.
func TestSearch(t *testing.T) {
	tests := []struct {
		name string
		area Area
		want []string
	}{
		{"circle", Circle(Point{15, 37}, 200e3), []string{"Palermo 190.4424", "Catania 56.4413"}},
		{"smaller circle", Circle(Point{15, 37}, 100e3), []string{"Catania 56.4413"}},
		{"square", Box(Point{15, 37}, 400e3, 400e3), []string{"Palermo 190.4424", "Catania 56.4413"}},
		{"wide circle", Circle(Point{10, 45}, 1100e3), []string{"Paris 722.2395", "Palermo 815.0379", "Catania 935.6589", "north 620.5523"}},
		{"wide square", Box(Point{10, 45}, 2000e3, 2000e3), []string{"Paris 722.2395", "Palermo 815.0379", "Catania 935.6589", "north 620.5523"}},
		{"flat box", Box(Point{15, 37.5}, 400e3, 10e3), []string{"Catania 7.7062"}},
		{"nothing there", Circle(Point{0, 0}, 1000), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := search(tt.area); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSearchAcrossTheAntimeridian(t *testing.T) {
	got := search(Circle(Point{179.95, -16.6}, 100e3))
	slices.Sort(got)
	if len(got) != 2 || got[0][:4] != "Fiji" || got[1][:7] != "Taveuni" {
		t.Errorf("got %q, want Fiji and Taveuni", got)
	}
}

func TestRangesAreFew(t *testing.T) {
	for _, tt := range []struct {
		area Area
		most int
	}{
		{Circle(Point{13, 38}, 0), 9},
		{Circle(Point{13, 38}, 100), 9},
		{Circle(Point{13, 38}, 1e5), 9},
		{Circle(Point{180, 0}, 1e3), 12},
		{Circle(Point{0, 0}, math.Inf(1)), 9},
		{Box(Point{0, 0}, math.Inf(1), 1), 9},
		{Box(Point{13, 38}, 1e-300, 1e-300), 9},
	} {
		if got := tt.area.Ranges(); len(got) == 0 || len(got) > tt.most {
			t.Errorf("%+v: %d ranges, want 1 to %d", tt.area, len(got), tt.most)
		}
	}
}

// A range's cells are about as large as the area, or a search would read everything.
func TestRangesAreTight(t *testing.T) {
	var cells float64
	for _, r := range Circle(Point{13.36, 38.11}, 1000).Ranges() {
		cells += r.Max - r.Min
	}
	area := math.Pi * 1e6
	sphere := 4 * math.Pi * earthRadius * earthRadius
	if share := cells / (1 << 52); share > 40*area/sphere {
		t.Errorf("ranges hold %.3g of all scores for %.3g of the sphere", share, area/sphere)
	}
}

// checkRanges fails if a point of the area is outside its ranges or ranges overlap.
func checkRanges(t *testing.T, a Area, points []Point) {
	t.Helper()
	ranges := a.Ranges()
	for i, r := range ranges {
		for _, other := range ranges[:i] {
			if r.Min < other.Max && other.Min < r.Max {
				t.Fatalf("%+v: ranges %v and %v overlap", a, other, r)
			}
		}
	}
	for _, p := range points {
		score := Encode(p)
		if _, ok := a.Contains(Decode(score)); !ok {
			continue
		}
		if !slices.ContainsFunc(ranges, func(r Range) bool { return score >= r.Min && score < r.Max }) {
			t.Fatalf("%+v contains %v, which is in none of its ranges", a, p)
		}
	}
}

func TestRangesMissNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(limit float64) float64 {
		switch r.IntN(8) {
		case 0:
			return limit
		case 1:
			return -limit
		}
		return (2*r.Float64() - 1) * limit
	}
	for range 300 {
		center := Point{pick(MaxLongitude), pick(MaxLatitude)}
		size := math.Exp(r.Float64() * math.Log(4e7))
		areas := []Area{Circle(center, size/2), Box(center, size, size*r.Float64()), Box(center, size*r.Float64(), size)}
		points := []Point{center}
		for range 100 {
			points = append(points, Point{pick(MaxLongitude), pick(MaxLatitude)})
			near := Point{center.Longitude + r.NormFloat64()*size/1e5, center.Latitude + r.NormFloat64()*size/1e5}
			if near.Valid() {
				points = append(points, near)
			}
		}
		for _, a := range areas {
			checkRanges(t, a, points)
		}
	}
}

func FuzzRanges(f *testing.F) {
	f.Add(179.99, 0.0, -179.99, 0.1, 1e5, 1e5, true)
	f.Add(0.0, 80.0, 180.0, 85.0, 4e6, 1.0, false)
	f.Fuzz(func(t *testing.T, lon, lat, pLon, pLat, width, height float64, box bool) {
		center, p := Point{lon, lat}, Point{pLon, pLat}
		if !center.Valid() || !p.Valid() || !(width >= 0) || !(height >= 0) {
			return
		}
		a := Circle(center, width)
		if box {
			a = Box(center, width, height)
		}
		checkRanges(t, a, []Point{center, p})
	})
}

func BenchmarkRanges(b *testing.B) {
	a := Circle(Point{13.36, 38.11}, 1000)
	b.ReportAllocs()
	for b.Loop() {
		a.Ranges()
	}
}
