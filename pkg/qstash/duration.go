package qstash

import (
	"math"
	"strconv"
	"time"
)

// ParseDuration reads one or more numbers with the units s, m, h and d, such as
// "10s" or "1d10h30m"; a number alone is seconds. Fractions are allowed.
func ParseDuration(text string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return toDuration(text, n, time.Second)
	}
	var total time.Duration
	rest := text
	for rest != "" {
		i := 0
		for i < len(rest) && (rest[i] >= '0' && rest[i] <= '9' || rest[i] == '.') {
			i++
		}
		if i == 0 || i == len(rest) {
			return 0, invalid("invalid duration %q", text)
		}
		n, err := strconv.ParseFloat(rest[:i], 64)
		if err != nil {
			return 0, invalid("invalid duration %q", text)
		}
		var unit time.Duration
		switch rest[i] {
		case 's':
			unit = time.Second
		case 'm':
			unit = time.Minute
		case 'h':
			unit = time.Hour
		case 'd':
			unit = 24 * time.Hour
		default:
			return 0, invalid("invalid duration %q: want units s, m, h or d", text)
		}
		d, err := toDuration(text, n, unit)
		if err != nil {
			return 0, err
		}
		if total += d; total < 0 {
			return 0, invalid("invalid duration %q", text)
		}
		rest = rest[i+1:]
	}
	if text == "" {
		return 0, invalid("empty duration")
	}
	return total, nil
}

func toDuration(text string, n float64, unit time.Duration) (time.Duration, error) {
	ns := n * float64(unit)
	if !(ns >= 0 && ns < math.MaxInt64/2) {
		return 0, invalid("invalid duration %q", text)
	}
	return time.Duration(ns), nil
}
