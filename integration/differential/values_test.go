package differential

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// The instants that commands with absolute times use: far in the future, or past.
const (
	futureSec = 4102444800 // 2100-01-01
	futureMs  = futureSec * 1000
)

var (
	binary   = "\x00\x01\r\n\xff\xfe"
	longKey  = strings.Repeat("long", 300)
	longKey2 = strings.Repeat("long", 299) + "lonh"
	big      = strings.Repeat("0123456789", 600)   // over the inline size of a collection
	bigger   = strings.Repeat("abcdefghij", 3_000) // five times that, and still allowed as a key
)

var plainKeys = []string{"a", "b", "c", "d", "e", "k:1"}

// rareKeys are the awkward ones.
var rareKeys = []string{"", " ", binary, "*", "k{1}", "ключ", longKey, longKey2}

// hole draws one value, or a few words that belong together.
type hole func(g *gen) []string

// newHoles are the kinds of values that templates can name.
func newHoles() map[string]hole {
	one := func(f func(g *gen) string) hole {
		return func(g *gen) []string { return []string{f(g)} }
	}
	of := func(from ...string) hole {
		return one(func(g *gen) string { return pick(g, from...) })
	}
	// mostly draws from the first list and seldom from the second.
	mostly := func(common, rare []string) hole {
		return one(func(g *gen) string {
			if g.chance(12) {
				return pick(g, rare...)
			}
			return pick(g, common...)
		})
	}
	ws := strings.Fields
	badInts := []string{"", "abc", "1.5", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-0", "+1", "01", " 1"}

	holes := map[string]hole{
		"k":   mostly(plainKeys, rareKeys),
		"lex": of("lex1", "lex2"), // sorted sets whose members all have score 0
		"geo": of("geo1", "geo2"),
		"hll": of("hll1", "hll2", "hll3"),
		"pat": of("*", "a*", "?", "k:?", "[a-c]", "[^a]", "[b-", "\\*", "", "l*x1", "*l*", "[]", "m1?", "f*", "m*", "k[:;]1", "[c-a]"),

		"v": one((*gen).value),
		"m": one((*gen).member),
		"f": one((*gen).field),

		"int":   mostly(ws("0 1 -1 2 5 10 -7 100 12345 -12345"), append([]string{"9223372036854775806", "-9223372036854775807"}, badInts...)),
		"float": mostly(ws("0.5 1 -1.5 3 100.25 -0.75 2e2 0"), []string{"abc", "", "nan", "inf", "-inf", "1e400", "0x10", " 1", "1 ", "9007199254740993", "1e17", "+5"}),
		"idx":   mostly(ws("0 1 2 3 -1 -2 -3 5 -5 100 -100"), []string{"abc", "", "1.5", "9223372036854775807", "-9223372036854775807", "9223372036854775808", "500", "-500"}),
		"cnt":   mostly(ws("0 1 2 3 5 10 100"), ws("-1 -2 -10 abc 1.5 9223372036854775808")),
		"off":   mostly(ws("0 1 2 5 10 30 100"), ws("-1 5000 70000 450000 abc 9223372036854775807 600000000")),

		"sec":   mostly(ws("100000 200000 1000000"), ws("0 -1 -100 abc 9223372036854775807 9223372036854775 -9223372036854775807 1.5")),
		"ms":    mostly(ws("100000000 200000000 1000000000"), ws("0 -1 -100 abc 9223372036854775807 9223372036854775800 -9223372036854775807 1.5")),
		"at":    mostly([]string{strconv.Itoa(futureSec), strconv.Itoa(futureSec + 1000), "5000000000"}, ws("0 1 -1 1000000000 abc 9223372036854775807 9223372036854775")),
		"atms":  mostly([]string{strconv.Itoa(futureMs), strconv.Itoa(futureMs + 1_000_000), "5000000000000"}, ws("0 1 -1 1000000000000 abc 9223372036854775807")),
		"bit":   mostly(ws("0 1"), ws("2 -1 abc")),
		"bitof": mostly(ws("0 1 7 8 9 15 100 1000"), ws("-1 abc 40000 4294967296 99999999999")),
		"btype": mostly(ws("u1 u4 u8 i8 u16 i16 u32 i32 i5 u63 i64"), ws("u64 u0 i0 i65 x8 u 8 i U8 u-1")),
		"bfoff": mostly(ws("0 1 5 8 17 100 #0 #1 #3"), ws("-1 #-1 abc # 40000 #9223372036854775807")),

		// Scores whose sums are exact, so that the order of addition does not matter.
		"score": mostly(ws("0 1 2 3 -1 1.5 -2.25 10 100 3.5"), ws("inf -inf +inf -0 1e300 -1e300 5e-324 1e17 123456789012345680 0.1 1e-5 abc nan 0x10 Infinity 1e400")),
		"min":   mostly(ws("-inf 0 1 (1 -1 (-1 2"), ws("+inf (inf abc (abc nan ( 1.5 (1.5 -inf")),
		"max":   mostly(ws("+inf inf 3 (3 10 (100 2"), ws("-inf (-inf abc nan 0 (0")),
		"lmin":  mostly(ws("- [m1 (m1 [a (m2 [m5"), ws("+ a [ ( -inf [m9")),
		"lmax":  mostly(ws("+ [m5 (m5 [z (m9 [m3"), ws("- z [ ( +inf [m1")),
		"w":     mostly(ws("1 2 0.5 -1 3"), ws("0 abc inf -inf nan")),

		"lonlat": func(g *gen) []string {
			if g.chance(4) {
				return pick(g, []string{"181", "0"}, []string{"0", "86"}, []string{"abc", "1"}, []string{"-180", "-85.05112878"}, []string{"180", "85.05112878"}, []string{"179.9999", "-0.0001"})
			}
			if g.chance(30) {
				return []string{fmt.Sprintf("%.4f", g.Float64()*360-180), fmt.Sprintf("%.4f", g.Float64()*170-85)}
			}
			return []string{fmt.Sprintf("%.5f", 13+g.Float64()*4), fmt.Sprintf("%.5f", 36+g.Float64()*3)}
		},
		"radius": mostly(ws("10 50 100 200 500 2000 0.5"), ws("0 -1 abc 100000 nan")),
		"unit":   mostly(ws("m km ft mi"), ws("KM cm x")),

		// A number of keys with the keys; the number is wrong now and then.
		"nk":   func(g *gen) []string { return g.counted(1+g.IntN(3), "k") },
		"nk2":  func(g *gen) []string { return g.counted(1+g.IntN(2), "k") },
		"nlex": func(g *gen) []string { return g.counted(1+g.IntN(2), "lex") },
	}
	maps.Copy(holes, streamHoles(mostly))
	scriptHoles(holes)
	return holes
}

func (g *gen) counted(n int, hole string) []string {
	said := strconv.Itoa(n)
	if g.chance(5) {
		said = pick(g, "0", "-1", "abc", "2", "9", "9223372036854775807")
	}
	out := []string{said}
	for range n {
		out = append(out, g.holes[hole](g)...)
	}
	return out
}

func (g *gen) value() string {
	switch p := g.IntN(100); {
	case p < 45:
		return pick(g, "v", "w", "x", "hello", "", "foo bar", "OK", "mykey")
	case p < 75:
		return pick(g, "0", "1", "10", "-5", "100", "3.14", "9223372036854775807", "-9223372036854775808", "9223372036854775800")
	case p < 85:
		return pick(g, "01", "+1", " 1", "1 ", "1e3", "-0", "0x10", "1.0", "9223372036854775808", "inf", "nan", "3.0e2", "99999999999999999999")
	case p < 92:
		return pick(g, binary, "\xff", "\x00", "naïve", "漢字", "\xf0\x28\x8c\x28", "a\nb")
	case p < 99 || !g.wide:
		return big[:g.IntN(len(big))]
	default:
		return bigger[:g.IntN(len(bigger))]
	}
}

func (g *gen) member() string { return g.name("m") }
func (g *gen) field() string  { return g.name("f") }

func (g *gen) name(prefix string) string {
	if g.chance(6) {
		return pick(g, "", binary, "\xff\xfe", "5", "-17", "1.5", "漢", longKey, longKey2, "with space", "M1", prefix, "9999999999")
	}
	n := 12
	if g.wide {
		n = 300
	}
	return prefix + strconv.Itoa(g.IntN(n))
}
