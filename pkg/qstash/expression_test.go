package qstash

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestExpressions(t *testing.T) {
	for text, want := range map[string]float64{ // with retried = 2
		"1000":                        1000,
		"1000 * retried":              2000,
		"1000*(1+retried)":            3000,
		"pow(2, retried) * 1000":      4000,
		"min(86400, exp(2.5)*0)+1":    1,
		"max(retried,  10) / 4 - 0.5": 2,
		"-retried + 5 % 3":            0,
		"10 - 4 - 3":                  3,
		"round(1.5)+floor(1.9)+ceil(0.1)+abs(-1)+sqrt(4)": 7,
		"+1e3":      1000,
		"((((1))))": 1,
		"1 / 0":     math.Inf(1),
	} {
		f, err := parseExpression(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := f(2); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"", "1 +", "retried retried", "pow(1)", "pow(1,2,3)", "sqrt 4", "system(1)", "x", "1;2", "(1", "1)", "0x10", "1_000", "Inf", "NaN",
		"1.2.3", "retried()", strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100), strings.Repeat("1+", 600) + "1"} {
		if _, err := parseExpression(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestDelaysStayBetweenNothingAndADay(t *testing.T) {
	for expr, want := range map[string]time.Duration{
		"0-5": 0, "1e300": maxRetryDelay, "1/0": maxRetryDelay, "1500": 1500 * time.Millisecond, "0/0": backoff(0), "0*retried": 0,
	} {
		if got := retryDelay(&Options{RetryDelay: expr}, 0, nil, time.Time{}); got != want {
			t.Errorf("%q: %v, want %v", expr, got, want)
		}
	}
	for retried, want := range []time.Duration{12 * time.Second, 148 * time.Second, 1808 * time.Second, 22026 * time.Second, maxRetryDelay, maxRetryDelay} {
		if got := backoff(retried).Truncate(time.Second); got != want {
			t.Errorf("retry %d: %v, want %v", retried+1, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"10s": 10 * time.Second, "1d10h30m": 34*time.Hour + 30*time.Minute, "90": 90 * time.Second,
		"1.5s": 1500 * time.Millisecond, "7d": 7 * 24 * time.Hour, "0": 0} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "-1", "1y", "1h-1m", "1e300d", "NaN", "Inf", "5 s"} {
		if _, err := ParseDuration(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzExpression(f *testing.F) {
	f.Add("pow(2, retried) * 1000 - min(1, 2) % 3")
	f.Fuzz(func(t *testing.T, text string) {
		if expr, err := parseExpression(text); err == nil {
			if d := clampDelay(expr(3), 0); d < 0 || d > maxRetryDelay {
				t.Errorf("delay %v", d)
			}
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"5", "6m5s", "Tue, 24 Nov 2026 12:00:30 GMT", "-1", "1e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := retryAfter(text, time.Unix(1_795_521_600, 0)); ok && (d < 0 || d > maxRetryDelay) {
			t.Errorf("delay %v", d)
		}
	})
}

func TestIDsSortByTime(t *testing.T) {
	last := ""
	for ms := int64(0); ms < 1<<44; ms = ms*3 + 1 {
		var full [10]byte
		for i := range full {
			full[i] = byte(ms) ^ 0xff
		}
		id := idAt(messagePrefix, time.UnixMilli(ms), full)
		if id <= last || len(id) != len(messagePrefix)+idLength {
			t.Errorf("id %s of %d after %s", id, ms, last)
		}
		last = id
	}
}
