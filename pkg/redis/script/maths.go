package script

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// mathTable is the library math.
func mathTable() *lua.LTable {
	lib := library{"fmod": fmod, "mod": fmod, "modf": modf, "frexp": frexp, "ldexp": ldexp, "max": extreme(func(x, y float64) bool { return x > y }), "min": extreme(func(x, y float64) bool { return x < y }),
		"pow": math2(math.Pow), "atan2": math2(math.Atan2), "random": randomNumber, "randomseed": randomSeed}
	for name, fn := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil, "cos": math.Cos, "cosh": math.Cosh,
		"exp": math.Exp, "floor": math.Floor, "log": math.Log, "log10": log10, "sin": math.Sin, "sinh": math.Sinh,
		"sqrt": math.Sqrt, "tan": math.Tan, "tanh": math.Tanh,
		"deg": func(x float64) float64 { return x / (math.Pi / 180) },
		"rad": func(x float64) float64 { return x * (math.Pi / 180) },
	} {
		lib[name] = func(a args) int { return a.retNumber(fn(a.number(1))) }
	}
	t := lib.table()
	t.RawSetString("pi", lua.LNumber(math.Pi))
	t.RawSetString("huge", lua.LNumber(math.Inf(1)))
	return t
}

func math2(fn func(x, y float64) float64) func(args) int {
	return func(a args) int { return a.retNumber(fn(a.number(1), a.number(2))) }
}

func fmod(a args) int { return a.retNumber(math.Mod(a.number(1), a.number(2))) }

func modf(a args) int {
	x := a.number(1)
	whole, frac := math.Modf(x)
	if math.IsInf(x, 0) {
		frac = math.Copysign(0, x)
	}
	return a.ret(lua.LNumber(whole), lua.LNumber(frac))
}

func frexp(a args) int {
	frac, exp := math.Frexp(a.number(1))
	return a.ret(lua.LNumber(frac), lua.LNumber(exp))
}

func ldexp(a args) int { return a.retNumber(math.Ldexp(a.number(1), a.integer(2))) }

// extreme keeps the first argument until a later one is better. So a NaN stays if it comes first, and is
// passed over if it does not, as in C.
func extreme(better func(x, y float64) bool) func(args) int {
	return func(a args) int {
		x := a.number(1)
		for i := 2; i <= a.GetTop(); i++ {
			if y := a.number(i); better(y, x) {
				x = y
			}
		}
		return a.retNumber(x)
	}
}

// log10 is the C library's logarithm, by the algorithm of FreeBSD's e_log10.c: the exponent of 2 is taken off
// first, so powers of ten give whole numbers. (math.Log10(1e15) is 14.999999999999998.)
func log10(x float64) float64 {
	const (
		ivln10   = 4.34294481903251816668e-01
		log10of2 = 3.01029995663611771306e-01 // the upper bits
		log10lo  = 3.69423907715893078616e-13 // and the lower ones
	)
	if x <= 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return math.Log10(x)
	}
	frac, exp := math.Frexp(x) // x is frac * 2^exp, and frac is from 0.5 up to 1
	frac, exp = 2*frac, exp-1
	if exp < 0 {
		frac, exp = frac/2, exp+1
	}
	n := float64(exp)
	return float64(n*log10lo) + float64(ivln10*math.Log(frac)) + float64(n*log10of2) // no fused operations
}

// random is the generator of Redis's scripts, the 48-bit congruence of drand48: after randomseed, it gives
// the numbers that it gives there.
type random uint64

func (g *random) seed(n int32) { *g = random(uint64(uint32(n))<<16 | 0x330e) }

// next is a number from 0 to 2^31-1.
func (g *random) next() int32 {
	*g = (*g*0x5deece66d + 0xb) & (1<<48 - 1)
	return int32(*g >> 17)
}

func randomNumber(a args) int {
	f := float64(a.run().random.next()%math.MaxInt32) / math.MaxInt32
	switch a.GetTop() {
	case 0:
		return a.retNumber(f)
	case 1:
		to := a.integer(1)
		if to < 1 {
			a.fail(1, "interval is empty")
		}
		return a.retNumber(math.Floor(f*float64(to)) + 1)
	case 2:
		from, to := a.integer(1), a.integer(2)
		if from > to {
			a.fail(2, "interval is empty")
		}
		return a.retNumber(math.Floor(f*(float64(to)-float64(from)+1)) + float64(from))
	}
	a.RaiseError("wrong number of arguments")
	return 0
}

func randomSeed(a args) int {
	a.run().random.seed(int32(toInteger(a.number(1))))
	return 0
}
