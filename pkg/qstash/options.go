package qstash

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options say how a message is delivered. The JSON form is how they are stored.
type Options struct {
	Method     string        `json:"m,omitempty"`  // "": POST
	Header     Header        `json:"h,omitempty"`  // Content-Type and forwarded fields
	Delay      time.Duration `json:"d,omitempty"`  // before the first attempt
	NotBefore  time.Time     `json:"nb,omitzero"`  // beats Delay
	Retries    *int          `json:"r,omitempty"`  // nil: DefaultRetries
	RetryDelay string        `json:"rd,omitempty"` // expression in milliseconds; "": the default back-off
	Timeout    time.Duration `json:"to,omitempty"` // of an attempt; 0: the limit

	Callback        *Callback `json:"cb,omitempty"` // told of every attempt
	FailureCallback *Callback `json:"fc,omitempty"` // told of the final failure

	DedupID        string `json:"-"`
	DedupByContent bool   `json:"-"`

	Flow     *Flow    `json:"f,omitempty"`
	Labels   []string `json:"l,omitempty"`
	Redact   *Redact  `json:"x,omitempty"`
	Queue    string   `json:"q,omitempty"`
	CallerIP string   `json:"ip,omitempty"`

	Workflow *Workflow `json:"w,omitempty"`

	Trail Trail `json:"tr,omitzero"` // of the request
}

// DefaultRetries is how often a failed delivery is repeated if nothing is said.
const DefaultRetries = 3

// Callback is a message that tells of another one's attempt.
type Callback struct {
	URL     string `json:"u"`
	Options        // Delay, NotBefore, deduplication, Queue and Callback mean nothing here
}

// Flow limits the deliveries of all messages with its key.
type Flow struct {
	Key         string        `json:"k"`
	Parallelism int           `json:"p,omitempty"` // attempts at a time; 0: no limit
	Rate        int           `json:"r,omitempty"` // attempts started in a period; 0: no limit
	Period      time.Duration `json:"t,omitempty"` // whole seconds; 0: one second
}

// maxFlowKey leaves room for the time in a due entry's key.
const maxFlowKey = 512

// maxPeriod is the longest period of a rate.
const maxPeriod = 7 * 24 * time.Hour

// Redact says what is hidden from logs, messages, schedules and dead letters.
type Redact struct {
	Body    bool     `json:"b,omitempty"`
	Headers bool     `json:"h,omitempty"` // all of them
	Header  []string `json:"n,omitempty"` // single ones, canonical names
}

// check refuses options that can never work: with KindQuota or KindTooLarge if they exceed a limit,
// otherwise with KindInvalid.
func (o *Options) check(l *Limits, now time.Time) error {
	if err := o.checkLimits(l, now); err != nil {
		return err
	}
	if err := o.Trail.check(l); err != nil {
		return err
	}
	if o.RetryDelay != "" {
		if _, err := parseExpression(o.RetryDelay); err != nil {
			return invalid("invalid retry delay expression: %v", err)
		}
	}
	switch o.Method {
	case "", "GET", "POST", "PUT", "PATCH", "DELETE":
	default:
		return invalid("invalid method %q: want GET, POST, PUT, PATCH or DELETE", o.Method)
	}
	if o.Flow != nil {
		if err := o.Flow.check(); err != nil {
			return err
		}
	}
	if err := o.Header.check(); err != nil {
		return err
	}
	for what, cb := range map[string]*Callback{"callback": o.Callback, "failure callback": o.FailureCallback} {
		if cb == nil {
			continue
		}
		if err := checkURL(cb.URL); err != nil {
			return invalid("invalid %s url: %v", what, err)
		}
		if cb.Delay != 0 || !cb.NotBefore.IsZero() {
			return invalid("a %s cannot be delayed", what)
		}
		if err := cb.check(l, now); err != nil {
			return err
		}
	}
	return nil
}

// checkLimits refuses options that exceed a limit. Each error names the field, its value and the limit.
func (o *Options) checkLimits(l *Limits, now time.Time) error {
	switch {
	case o.Delay < 0:
		return invalid("delay must not be negative")
	case o.Delay > l.MaxDelay:
		return quota("delay exceeded the limit: maximum %s, requested %s", days(l.MaxDelay), days(o.Delay))
	case o.NotBefore.Sub(now) > l.MaxDelay: // Sub saturates
		return quota("not-before exceeded the limit: maximum %s from now, requested %s", days(l.MaxDelay), o.NotBefore.UTC().Format(time.RFC3339))
	case o.Retries != nil && *o.Retries < 0:
		return invalid("retries must not be negative")
	case o.Retries != nil && *o.Retries > l.MaxRetries:
		return quota("retries exceeded the limit: maximum %d, requested %d", l.MaxRetries, *o.Retries)
	case o.Timeout < 0:
		return invalid("timeout must not be negative")
	case o.Timeout > l.MaxTimeout:
		return quota("timeout exceeded the limit: maximum %s, requested %s", days(l.MaxTimeout), days(o.Timeout))
	}
	return nil
}

// days is a duration with days in front of its hours: 366d, 1d2h0m0s, 15m0s.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	switch n := d / day; {
	case n == 0:
		return d.String()
	case d%day == 0:
		return fmt.Sprintf("%dd", n)
	default:
		return fmt.Sprintf("%dd%s", n, d%day)
	}
}

func (f *Flow) check() error {
	switch {
	case f.Key == "":
		return invalid("flow control value is given without a key")
	case len(f.Key) > maxFlowKey:
		return invalid("flow control key is longer than %d bytes", maxFlowKey)
	case f.Parallelism == 0 && f.Rate == 0:
		return invalid("flow control needs at least one of parallelism and rate")
	case f.Parallelism < 0 || f.Rate < 0:
		return invalid("flow control parallelism and rate must be positive")
	case f.Period < 0 || f.Period > maxPeriod || f.Period%time.Second != 0:
		return invalid("flow control period must be between 1s and 7d")
	}
	return nil
}

// checkURL accepts absolute http and https URLs.
func checkURL(text string) error {
	if !hasScheme(text) {
		return invalid("endpoint has invalid scheme, add http:// or https://")
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !validPort(u.Port()) {
		return invalid("endpoint is not a valid url")
	}
	return nil
}

// validPort accepts the ports that there are; "" is that of the scheme.
func validPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

func hasScheme(text string) bool {
	return cutPrefixFold(text, "http://") || cutPrefixFold(text, "https://")
}

func cutPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// checkName checks the names of queues, URL groups and schedules.
func checkName(what, name string) error {
	if name == "" || len(name) > 256 {
		return invalid("%s name must have 1 to 256 characters", what)
	}
	for _, c := range []byte(name) {
		if !isNameByte(c) {
			return invalid("%s name can only contain alphanumeric characters, hyphens, underscores and periods", what)
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}
