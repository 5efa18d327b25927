package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// formatCount writes a number with separators: 1,234,567.
func formatCount(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// formatBytes writes a number of bytes, in powers of 1000.
func formatBytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, unit := range []string{"KB", "MB", "GB", "TB"} {
		if v /= 1000; v < 999.5 || unit == "TB" {
			return trimZeros(strconv.FormatFloat(v, 'f', 1, 64)) + " " + unit
		}
	}
	panic("unreachable")
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// formatDollars writes an amount: cents if there are any, otherwise as many digits as say something.
func formatDollars(v float64) string {
	switch {
	case v == 0:
		return "$0.00"
	case v < 0:
		return "-" + formatDollars(-v)
	case v < 0.000_000_5:
		return "< $0.000001"
	case v < 0.01:
		digits := min(6, 1-int(math.Floor(math.Log10(v))))
		return "$" + strconv.FormatFloat(v, 'f', digits, 64)
	}
	whole, cents, _ := strings.Cut(strconv.FormatFloat(v, 'f', 2, 64), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil { // beyond all sums
		return "$" + whole
	}
	return "$" + formatCount(n) + "." + cents
}

// formatLatency writes a duration of a request; "–" for none.
func formatLatency(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return "–"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	case ms < 100:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return trimZeros(strconv.FormatFloat(ms/1000, 'f', 2, 64)) + " s"
}

// ago says how long before now a time was, or how long it is until then.
func ago(now, t time.Time) string {
	d, form := now.Sub(t), "%s ago"
	if d < 0 {
		d, form = -d, "in %s"
	}
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute && form == "%s ago":
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf(form, strconv.Itoa(int(d/time.Second))+" s")
	}
	for _, u := range []struct {
		size time.Duration
		name string
	}{{365 * 24 * time.Hour, "year"}, {30 * 24 * time.Hour, "month"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / u.size); n == 1 {
			return fmt.Sprintf(form, "1 "+u.name)
		} else if n > 1 {
			return fmt.Sprintf(form, fmt.Sprintf("%d %ss", n, u.name))
		}
	}
	return ""
}

// sentence begins with a capital letter and ends with a stop.
func sentence(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	s = string(unicode.ToUpper(first)) + s[n:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "!") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

// escapeRune writes a character as JSON does in ASCII.
func escapeRune(c rune) string {
	if c > 0xffff {
		c -= 0x10000
		return fmt.Sprintf(`\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
	}
	return fmt.Sprintf(`\u%04x`, c)
}

// formatUnits writes request units, of which there are halves.
func formatUnits(v float64) string {
	if v >= 100 || v == math.Trunc(v) {
		return formatCount(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// formatQuantity writes an amount of something on a bill.
func formatQuantity(v float64) string {
	switch {
	case v >= 100:
		return formatCount(int64(math.Round(v)))
	case v > 0 && v < 1e-6:
		return "< 0.000001"
	}
	return trimZeros(strconv.FormatFloat(v, 'f', max(0, 2-int(math.Floor(math.Log10(max(v, 1e-6))))), 64))
}
