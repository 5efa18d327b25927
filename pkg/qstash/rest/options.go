package rest

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skystash/skystash/pkg/qstash"
)

// Header fields that publishers set, all of which begin with prefix.
const (
	prefix          = "Upstash-"
	forwardPrefix   = "Upstash-Forward-"
	callbackHeader  = "Upstash-Callback"
	failureHeader   = "Upstash-Failure-Callback"
	scheduleID      = "Upstash-Schedule-Id"
	cronHeader      = "Upstash-Cron"
	missedHeader    = "Upstash-Skystash-Missed" // of a schedule, see qstash.Missed; not one of Upstash's
	maxCallbackNest = 2
)

// notForwarded are fields that Upstash-Header-Forward leaves out: those of the
// connection and those that were for QStash.
var notForwarded = map[string]bool{"Authorization": true, "Connection": true, "Content-Length": true, "Host": true, "Keep-Alive": true,
	"Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "Accept-Encoding": true, "User-Agent": true}

// options reads the options of a message from a header that the request has or holds.
func (x *exchange) options(h http.Header) (qstash.Options, error) {
	o, err := parseOptions(h)
	o.Trail = x.trail
	return o, err
}

// parseOptions reads the options of a message from the header of its request.
func parseOptions(h http.Header) (qstash.Options, error) { return parseNested(h, 0) }

func parseNested(h http.Header, depth int) (o qstash.Options, err error) {
	p := optionParser{h: h}
	o = qstash.Options{
		Method:         strings.ToUpper(p.text("Method")),
		Header:         forwarded(h),
		Delay:          p.duration("Delay"),
		Retries:        p.count("Retries"),
		RetryDelay:     p.text("Retry-Delay"),
		Timeout:        p.duration("Timeout"),
		DedupID:        p.text("Deduplication-Id"),
		DedupByContent: strings.EqualFold(p.text("Content-Based-Deduplication"), "true"),
		NotBefore:      p.unix("Not-Before"),
		Flow:           p.flow(),
		Labels:         list(p.text("Label")),
		Redact:         p.redact(),
		Workflow:       parseWorkflow(h),
	}
	if w := o.Workflow; w != nil && w.Init && p.err == nil {
		w.Deadline, p.err = parseDeadline(h)
	}
	if p.err != nil {
		return o, p.err
	}
	if depth >= maxCallbackNest {
		return o, nil
	}
	if o.Callback, err = parseCallback(h, callbackHeader, depth); err != nil {
		return o, err
	}
	o.FailureCallback, err = parseCallback(h, failureHeader, depth)
	return o, err
}

// parseCallback reads a callback's URL, and its options: the fields that begin with its name.
func parseCallback(h http.Header, name string, depth int) (*qstash.Callback, error) {
	url := h.Get(name)
	if url == "" {
		return nil, nil
	}
	sub := http.Header{}
	for field, values := range h {
		if rest, ok := strings.CutPrefix(field, name+"-"); ok {
			sub[fieldName(prefix+rest)] = values
		}
	}
	o, err := parseNested(sub, depth+1)
	if err != nil {
		return nil, err
	}
	if w := o.Workflow; w != nil && sub.Get(callTypeHeader) == "" {
		w.CallType = callbackTypes[name]
	}
	return &qstash.Callback{URL: url, Options: o}, nil
}

// callbackTypes are what callbacks that name a workflow run are to it, unless they say so: none is a step.
var callbackTypes = map[string]string{callbackHeader: qstash.CallFrom, failureHeader: qstash.CallFailure}

// fieldName is the name of a header field as http.Header has it: each word begins with a capital. Names that no
// field can have get that form as well, which package textproto leaves as they are: they would be taken for fields
// that mean nothing, and passed over, instead of being refused.
func fieldName(name string) string {
	b, first := []byte(name), true
	for i, c := range b {
		if first && 'a' <= c && c <= 'z' || !first && 'A' <= c && c <= 'Z' {
			b[i] ^= 'a' ^ 'A'
		}
		first = c == '-'
	}
	return string(b)
}

// forwarded is what the destination gets of a header.
func forwarded(h http.Header) qstash.Header {
	out := qstash.Header{}
	if strings.EqualFold(h.Get("Upstash-Header-Forward"), "true") {
		for name, values := range h {
			if !strings.HasPrefix(name, prefix) && !notForwarded[name] {
				out[name] = values
			}
		}
	}
	if ct := h["Content-Type"]; len(ct) > 0 && ct[0] != "" {
		out["Content-Type"] = ct
	}
	if encoding := passedOn(h); encoding != "" {
		out["Content-Encoding"] = []string{encoding}
	}
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, forwardPrefix); ok && rest != "" {
			out[fieldName(rest)] = values
		}
	}
	delete(out, qstash.HeaderHops) // which deliveries set
	for name, values := range out {
		out[name] = asUTF8(values)
	}
	if isTrue(h.Get(initHeader)) {
		delete(out, unknownHeader) // of a run's first delivery only, see qstash.Workflow.UnknownSDK
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// asUTF8 makes values UTF-8, which they are delivered and shown as. Those that are not are taken for ISO 8859-1: a
// browser's or Node's fetch sends "é" as one byte. The same text in the JSON of a batch is UTF-8 already.
func asUTF8(values []string) []string {
	if !slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
		return values
	}
	out := slices.Clone(values)
	for i, v := range out {
		if utf8.ValidString(v) {
			continue
		}
		text := make([]rune, len(v))
		for j := range len(v) {
			text[j] = rune(v[j])
		}
		out[i] = string(text)
	}
	return out
}

// optionParser reads fields and keeps the first error.
type optionParser struct {
	h   http.Header
	err error
}

func (p *optionParser) text(name string) string { return strings.TrimSpace(p.h.Get(prefix + name)) }

func (p *optionParser) fail(name, text string) {
	if p.err == nil {
		p.err = badRequest("invalid value for header " + prefix + name + ": " + strconv.Quote(text))
	}
}

func (p *optionParser) duration(name string) time.Duration {
	text := p.text(name)
	if text == "" {
		return 0
	}
	d, err := qstash.ParseDuration(text)
	if err != nil {
		p.fail(name, text)
	}
	return d
}

func (p *optionParser) count(name string) *int {
	text := p.text(name)
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		p.fail(name, text)
	}
	return &n
}

// unix reads Unix seconds, which may have a fraction.
func (p *optionParser) unix(name string) time.Time {
	text := p.text(name)
	if text == "" {
		return time.Time{}
	}
	secs, err := strconv.ParseFloat(text, 64)
	if err != nil || !(secs >= 0 && secs < 1e11) {
		p.fail(name, text)
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Ceil(secs * 1000)))
}

func (p *optionParser) flow() *qstash.Flow {
	key, value := p.h.Get("Upstash-Flow-Control-Key"), p.text("Flow-Control-Value")
	if key == "" && value == "" {
		return nil
	}
	if key == "" || value == "" {
		if p.err == nil {
			p.err = badRequest("flow control key and value must be given together")
		}
		return nil
	}
	f := &qstash.Flow{Key: key}
	for _, item := range list(value) {
		name, text, _ := strings.Cut(item, "=")
		name, text = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(text)
		n, err := strconv.Atoi(text)
		switch {
		case name == "parallelism" && err == nil && n > 0:
			f.Parallelism = n
		case name == "rate" && err == nil && n > 0:
			f.Rate = n
		case name == "period":
			d, err := qstash.ParseDuration(text)
			if err != nil || d < time.Second {
				p.fail("Flow-Control-Value", value)
				return nil
			}
			f.Period = d.Truncate(time.Second)
		default:
			p.fail("Flow-Control-Value", value)
			return nil
		}
	}
	return f
}

func (p *optionParser) redact() *qstash.Redact {
	text := p.text("Redact-Fields")
	if text == "" {
		return nil
	}
	r := &qstash.Redact{}
	for _, item := range list(text) {
		name, rest, single := strings.Cut(item, "[")
		switch name = strings.ToLower(strings.TrimSpace(name)); {
		case name == "body" && !single:
			r.Body = true
		case (name == "header" || name == "headers") && !single:
			r.Headers = true
		case (name == "header" || name == "headers") && strings.HasSuffix(rest, "]") && len(rest) > 1:
			r.Header = append(r.Header, fieldName(strings.TrimSpace(strings.TrimSuffix(rest, "]"))))
		default:
			p.fail("Redact-Fields", text)
		}
	}
	return r
}

// list splits at commas and leaves out what is empty.
func list(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}
