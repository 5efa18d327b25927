package jsondoc

import (
	"cmp"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// ErrOverflow says that integers have a result outside of 64 bits.
var ErrOverflow = errors.New("numeric overflow")

// ErrNotNumber says that a result is no number: infinite, or none at all.
var ErrNotNumber = errors.New("result is not a number")

// NewInt makes a number.
func NewInt(n int64) Value { return Value{kind: Number, text: strconv.FormatInt(n, 10)} }

// isInteger reports whether a number is written as an integer that fits 64 bits with
// or without a sign.
func isInteger(text string) bool {
	_, signed := parseInt(text)
	if signed {
		return true
	}
	_, err := strconv.ParseUint(text, 10, 64)
	return err == nil
}

// parseInt reads a number that is written as an integer of 64 bits. The minus of -0 makes it a float.
func parseInt(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && (n != 0 || text[0] != '-')
}

// parseFloat is the number nearest to the one that is written, infinite if it is too large.
func parseFloat(text string) float64 {
	f, _ := strconv.ParseFloat(text, 64)
	return f
}

// compareNumbers compares by value, 64-bit integers exactly and others as floats.
func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	m, ok1 := parseInt(a)
	n, ok2 := parseInt(b)
	if ok1 && ok2 {
		return cmp.Compare(m, n)
	}
	return cmp.Compare(parseFloat(a), parseFloat(b))
}

// NumOp is an operation on two numbers: on integers, if it can be carried out exactly, and on floats.
type NumOp struct {
	ints   func(a, b int64) (int64, bool)
	floats func(a, b float64) float64
}

// The operations of JSON.NUMINCRBY, JSON.NUMMULTBY and JSON.NUMPOWBY.
var (
	Add = NumOp{addInt, func(a, b float64) float64 { return a + b }}
	Mul = NumOp{mulInt, func(a, b float64) float64 { return a * b }}
	Pow = NumOp{powInt, math.Pow}
)

// Do applies the operation to two numbers. The result of integers is an integer, or
// ErrOverflow. Others are calculated as floats; a result that is infinite or undefined is
// ErrNotNumber.
func (op NumOp) Do(a, b *Value) (Value, error) {
	m, ok1 := parseInt(a.text)
	n, ok2 := parseInt(b.text)
	if ok1 && ok2 {
		r, ok := op.ints(m, n)
		if !ok {
			return Value{}, ErrOverflow
		}
		return NewInt(r), nil
	}
	r := op.floats(parseFloat(a.text), parseFloat(b.text))
	if math.IsInf(r, 0) || math.IsNaN(r) {
		return Value{}, ErrNotNumber
	}
	return Value{kind: Number, text: formatFloat(r)}, nil
}

func addInt(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	negative := (a < 0) != (b < 0)
	if hi != 0 || lo > 1<<63 || lo == 1<<63 && !negative {
		return 0, false
	}
	if negative {
		return -int64(lo), true
	}
	return int64(lo), true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// powInt squares and multiplies. A negative exponent has no exact result.
func powInt(base, exp int64) (int64, bool) {
	if exp < 0 {
		return 0, false
	}
	result, ok := int64(1), true
	for ; exp > 0; exp >>= 1 {
		if exp&1 != 0 {
			if result, ok = mulInt(result, base); !ok {
				return 0, false
			}
		}
		if exp == 1 {
			break // the next square is not needed
		}
		if base, ok = mulInt(base, base); !ok {
			return 0, false
		}
	}
	return result, true
}

// formatFloat writes the shortest digits that give back the float, always with a
// fraction or an exponent, so that it stays a float: 15.0, 0.001, 5e-7, 6.25e16.
func formatFloat(f float64) string {
	if f == 0 || 1e-5 <= math.Abs(f) && math.Abs(f) < 1e16 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if strings.IndexByte(s, '.') < 0 {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exp, _ := strings.Cut(s, "e")
	sign := ""
	if exp[0] == '-' {
		sign = "-"
	}
	return mantissa + "e" + sign + strings.TrimLeft(exp[1:], "0")
}
