package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

const (
	// linesPerSecond bounds the deliveries that are printed; the others of a second are counted.
	linesPerSecond = 100

	// unprinted bounds the lines that wait while nobody reads the terminal.
	unprinted = 2 * linesPerSecond
)

// deliveries prints QStash's deliveries as they happen, one line each, for who develops what receives
// them. Deliveries never wait for the terminal.
type deliveries struct {
	now   func() time.Time
	lines chan string

	mu     sync.Mutex
	second int64 // Unix
	count  int   // of this second
}

func newDeliveries(now func() time.Time) *deliveries {
	return &deliveries{now: now, lines: make(chan string, unprinted)}
}

// observe takes an attempt.
func (d *deliveries) observe(a qstash.Attempt) {
	second := d.now().Unix()
	d.mu.Lock()
	more := 0
	if second != d.second {
		more = d.count - linesPerSecond
		d.second, d.count = second, 0
	}
	d.count++
	shown := d.count <= linesPerSecond
	d.mu.Unlock()
	if more > 0 {
		d.put(fmt.Sprintf("… and %d more deliveries in that second", more))
	}
	if shown {
		d.put(deliveryLine(&a))
	}
}

func (d *deliveries) put(line string) {
	select {
	case d.lines <- line:
	default: // nobody reads
	}
}

// print writes lines until the context ends. If the terminal takes none, it does not wait for that for ever.
func (d *deliveries) print(ctx context.Context, to io.Writer) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case line := <-d.lines:
				if _, err := io.WriteString(to, line+"\n"); err != nil {
					return // nobody will read any more
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	<-ctx.Done()
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
}

// deliveryLine is what is printed of an attempt. The query is left out: it may hold secrets.
func deliveryLine(a *qstash.Attempt) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s %s  ", a.At.Format(time.TimeOnly), a.Method, shownURL(a.URL))
	var none *qstash.NoAnswer
	switch {
	case a.Err == nil:
		fmt.Fprintf(&b, "%d in %s", a.Status, rounded(a.Took))
	case errors.As(a.Err, &none) && none.Refused:
		fmt.Fprintf(&b, "nobody listens on %s", hostOf(a.URL))
	default:
		fmt.Fprintf(&b, "no answer in %s: %s", rounded(a.Took), oneLine(a.Err.Error()))
	}
	switch a.State {
	case qstash.EventRetry:
		fmt.Fprintf(&b, ", again in %s (retry %d of %d)", rounded(a.Next.Sub(a.At)), a.Retried+1, a.Retries)
	case qstash.EventFailed:
		b.WriteString(", failed for good")
	case qstash.EventCancelled:
		b.WriteString(", cancelled")
	}
	return b.String()
}

// shownURL is a URL without its query, user and fragment.
func shownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(malformed URL)"
	}
	query := ""
	if u.RawQuery != "" {
		query = "?…"
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath() + query
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "that port"
	}
	return u.Host
}

// oneLine replaces what would disturb a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// rounded is a duration with about three digits.
func rounded(d time.Duration) time.Duration {
	switch {
	case d < time.Millisecond:
		return d.Round(10 * time.Microsecond)
	case d < time.Second:
		return d.Round(time.Millisecond)
	case d < time.Minute:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
