package script

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// mathTable is the library math.
func mathTable() *lua.LTable {
	lib := library{"fmod": fmod, "mod": fmod, "modf": modf, "frexp": frexp, "ldexp": ldexp, "max": extreme(math.Max), "min": extreme(math.Min),
		"pow": math2(math.Pow), "atan2": math2(math.Atan2), "random": randomNumber, "randomseed": randomSeed}
	for name, fn := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil, "cos": math.Cos, "cosh": math.Cosh,
		"exp": math.Exp, "floor": math.Floor, "log": math.Log, "log10": math.Log10, "sin": math.Sin, "sinh": math.Sinh,
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

func extreme(better func(x, y float64) float64) func(args) int {
	return func(a args) int {
		x := a.number(1)
		for i := 2; i <= a.GetTop(); i++ {
			if y := a.number(i); better(x, y) != x {
				x = y
			}
		}
		return a.retNumber(x)
	}
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
