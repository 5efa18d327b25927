package qstash

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxRetryDelay bounds the time to the next attempt.
const maxRetryDelay = 24 * time.Hour

// What a destination answers to say that trying again makes no sense.
const (
	StatusNonRetryable = 489
	HeaderNonRetryable = "Upstash-Nonretryable-Error"
)

// retryHeaders are the fields of a failed answer that say when to try again, the
// most important first. One that cannot be used is as if it were not there.
var retryHeaders = []string{"Retry-After", "X-Ratelimit-Reset", "X-Ratelimit-Reset-Requests", "X-Ratelimit-Reset-Tokens"}

// backoff is the default delay before the n-th retry, counted from 0: e to the
// 2.5 (n+1) seconds, at most a day.
func backoff(retried int) time.Duration {
	return clampDelay(1000*math.Exp(2.5*float64(retried+1)), 0)
}

// clampDelay makes a duration of milliseconds between nothing and a day.
func clampDelay(ms float64, invalid time.Duration) time.Duration {
	switch {
	case math.IsNaN(ms):
		return invalid
	case ms <= 0:
		return 0
	case ms >= float64(maxRetryDelay/time.Millisecond):
		return maxRetryDelay
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// retryDelay is the time from a failed attempt to the next one.
func retryDelay(o *Options, retried int, answer Header, now time.Time) time.Duration {
	for _, name := range retryHeaders {
		if value := answer.Get(name); value != "" {
			if d, ok := retryAfter(value, now); ok {
				return d
			}
		}
	}
	if o.RetryDelay != "" {
		if f, err := parseExpression(o.RetryDelay); err == nil {
			return clampDelay(f(float64(retried)), backoff(retried))
		}
	}
	return backoff(retried)
}

// retryAfter reads seconds, a date or a duration such as 6m5s. More than a day is
// as if nothing had been said.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	var d time.Duration
	if secs, err := strconv.ParseFloat(value, 64); err == nil {
		if !(secs >= 0 && secs <= maxRetryDelay.Seconds()) {
			return 0, false
		}
		d = time.Duration(secs * float64(time.Second))
	} else if at, err := parseHTTPDate(value); err == nil {
		d = max(0, at.Sub(now))
	} else if d, err = time.ParseDuration(value); err != nil { // 6m5s, 20ms
		if d, err = ParseDuration(value); err != nil { // 1d
			return 0, false
		}
	}
	return d, d >= 0 && d <= maxRetryDelay
}

// parseHTTPDate reads the date formats of HTTP.
func parseHTTPDate(value string) (at time.Time, err error) {
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC1123, time.RFC1123Z, time.RFC850, time.ANSIC} {
		if at, err = time.Parse(layout, value); err == nil {
			return at, nil
		}
	}
	return time.Time{}, err
}
