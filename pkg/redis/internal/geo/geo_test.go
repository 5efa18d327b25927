package geo

import (
	"math"
	"testing"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// GEOADD, then ZSCORE, GEOPOS and GEOHASH of Redis 7.0.15.
func TestEncodeDecodeHash(t *testing.T) {
	tests := []struct {
		point    Point
		score    float64
		lon, lat string
		hash     string
	}{
		{Point{13.361389, 38.115556}, 3479099956230698, "13.36138933897018433", "38.11555639549629859", "sqc8b49rny0"},
		{Point{15.087269, 37.502669}, 3479447370796909, "15.08726745843887329", "37.50266842333162032", "sqdtr74hyu0"},
		{Point{0, 0}, 3377699720527872, "0.00000268220901489", "0.00000126736058093", "s0000000000"},
		{Point{-180, -85.05112878}, 0, "-179.99999731779098511", "-85.05112751263942528", "00bh0hbj200"},
		{Point{180, 85.05112878}, 13510798882111488, "180", "85.0511287799999991", "bp05b5048p0"},
		{Point{180, 0}, 10133099161583616, "180", "0.00000126736058093", "80000000000"},
		{Point{-122.4194, 37.7749}, 1367859919124626, "-122.41940170526504517", "37.77490001056577995", "9q8yyk8ytp0"},
		{Point{151.2093, -33.8688}, 3252046221964352, "151.20929986238479614", "-33.86880091934155956", "r3gx2f77bj0"},
		{Point{2.349014, 48.864716}, 3663832805879806, "2.34901160001754761", "48.86471570750150306", "u09tvrw3xg0"},
		{Point{-0.0000001, 0.0000001}, 1876499844737706, "-0.00000268220901489", "0.00000126736058093", "ebpbpbpbpb0"},
		{Point{179.9999999, 85.05}, 4503599627287214, "179.99999731779098511", "85.04999956172351006", "zzpgzfzupv0"},
	}
	for _, tt := range tests {
		if got := Encode(tt.point); got != tt.score {
			t.Errorf("Encode(%v) = %.0f, want %.0f", tt.point, got, tt.score)
		}
		p := Decode(tt.score)
		if lon, lat := num.FormatHuman(p.Longitude), num.FormatHuman(p.Latitude); lon != tt.lon || lat != tt.lat {
			t.Errorf("Decode(%.0f) = %s, %s, want %s, %s", tt.score, lon, lat, tt.lon, tt.lat)
		}
		if got := Hash(tt.score); got != tt.hash {
			t.Errorf("Hash(%.0f) = %s, want %s", tt.score, got, tt.hash)
		}
	}
}

// GEOPOS of members that ZADD put there.
func TestDecodeOfOtherScores(t *testing.T) {
	tests := []struct {
		score    float64
		lon, lat string
	}{
		{-5, "180", "85.0511287799999991"},
		{1e300, "-179.99999731779098511", "-85.05112751263942528"},
		{math.Inf(1), "-179.99999731779098511", "-85.05112751263942528"},
		{9007199254740992, "180", "-85.05112751263942528"},
		{4503599627370495.5, "179.99999731779098511", "85.05112751263942528"},
	}
	for _, tt := range tests {
		p := Decode(tt.score)
		if lon, lat := num.FormatHuman(p.Longitude), num.FormatHuman(p.Latitude); lon != tt.lon || lat != tt.lat {
			t.Errorf("Decode(%v) = %s, %s, want %s, %s", tt.score, lon, lat, tt.lon, tt.lat)
		}
	}
}

func TestValid(t *testing.T) {
	for _, p := range []Point{{180, 85.05112878}, {-180, -85.05112878}, {0, 0}} {
		if !p.Valid() {
			t.Errorf("%v is not valid", p)
		}
	}
	for _, p := range []Point{{180.0001, 0}, {-181, 0}, {0, 85.06}, {0, -90}, {math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}} {
		if p.Valid() {
			t.Errorf("%v is valid", p)
		}
	}
}

// places are positions as they come back from their scores.
var places = map[string]Point{
	"Palermo": Decode(Encode(Point{13.361389, 38.115556})),
	"Catania": Decode(Encode(Point{15.087269, 37.502669})),
	"Paris":   Decode(Encode(Point{2.349014, 48.864716})),
	"Sydney":  Decode(Encode(Point{151.2093, -33.8688})),
	"SF":      Decode(Encode(Point{-122.4194, 37.7749})),
	"Fiji":    Decode(Encode(Point{179.5, -16.8})),
	"Taveuni": Decode(Encode(Point{-179.8, -16.5})),
	"north":   Decode(Encode(Point{13.361389, 40})), // of Palermo
}

// GEODIST of Redis 7.0.15.
func TestDistance(t *testing.T) {
	tests := []struct {
		a, b          string
		m, km, ft, mi string
	}{
		{"Palermo", "Catania", "166274.1516", "166.2742", "545518.8700", "103.3182"},
		{"Paris", "Sydney", "16965170.1120", "16965.1701", "55660006.9293", "10541.6942"},
		{"SF", "Fiji", "8576981.5147", "8576.9815", "28139703.1322", "5329.5025"},
		{"Fiji", "Taveuni", "81716.7117", "81.7167", "268099.4478", "50.7765"},
		{"Palermo", "north", "209599.6798", "209.5997", "687662.9914", "130.2395"},
		{"Paris", "Paris", "0.0000", "0.0000", "0.0000", "0.0000"},
	}
	for _, tt := range tests {
		d := Distance(places[tt.a], places[tt.b])
		for unit, want := range map[string]string{"m": tt.m, "KM": tt.km, "ft": tt.ft, "Mi": tt.mi} {
			meters, ok := Unit(unit)
			if !ok {
				t.Fatalf("Unit(%s) refused", unit)
			}
			if got := FormatDistance(d / meters); got != want {
				t.Errorf("%s to %s = %s %s, want %s", tt.a, tt.b, got, unit, want)
			}
		}
	}
	if _, ok := Unit("yd"); ok {
		t.Error("Unit(yd) is ok")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(3479099956230698.0)
	f.Add(-1.0)
	f.Add(math.Inf(-1))
	f.Fuzz(func(t *testing.T, score float64) {
		p := Decode(score)
		if !p.Valid() {
			t.Fatalf("Decode(%v) = %v, not valid", score, p)
		}
		if hash := Hash(score); len(hash) != 11 {
			t.Fatalf("Hash(%v) = %q", score, hash)
		}
		if score >= 0 && score < 1<<52 && score == math.Trunc(score) {
			if back := Encode(p); back != score {
				t.Fatalf("Encode(Decode(%v)) = %v", score, back)
			}
		}
	})
}

func BenchmarkDistance(b *testing.B) {
	for b.Loop() {
		Distance(places["Paris"], places["Sydney"])
	}
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		Decode(3479099956230698)
	}
}
