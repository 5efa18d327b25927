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
	// linesPerSecond bounds the deliveries that are printed, and the requests; the others of a second are counted.
	linesPerSecond = 100

	// unprinted bounds the lines that wait while nobody reads the terminal.
	unprinted = 4 * linesPerSecond
)

// activity prints QStash's deliveries and the requests that the server answers as they happen, one line each,
// for who develops what sends and receives them. Neither waits for the terminal.
type activity struct {
	now    func() time.Time
	lines  chan string
	colour bool // the terminal shows colours

	deliveries, requests tally
}

// tally counts what happens in a second.
type tally struct {
	mu     sync.Mutex
	second int64 // Unix
	count  int   // of this second
}

// add counts one event. It tells whether the event is to be shown, and how many events of the second
// before were not.
func (t *tally) add(now time.Time) (shown bool, hidden int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if second := now.Unix(); second != t.second {
		hidden = max(t.count-linesPerSecond, 0)
		t.second, t.count = second, 0
	}
	t.count++
	return t.count <= linesPerSecond, hidden
}

func newActivity(now func() time.Time, colour bool) *activity {
	return &activity{now: now, lines: make(chan string, unprinted), colour: colour}
}

// delivery takes an attempt of QStash.
func (d *activity) delivery(a qstash.Attempt) {
	shown, hidden := d.deliveries.add(d.now())
	if hidden > 0 {
		d.put(fmt.Sprintf("… and %d more deliveries in that second", hidden))
	}
	if shown {
		what, outcome, m := deliveryLine(&a)
		d.put(what + d.paint(m, outcome))
	}
}

func (d *activity) put(line string) {
	select {
	case d.lines <- line:
	default: // nobody reads
	}
}

// mood is how an outcome is coloured.
type mood string

// SGR codes of the moods.
const (
	good mood = "32" // green
	odd  mood = "33" // yellow
	bad  mood = "31" // red
)

func (d *activity) paint(m mood, text string) string {
	if !d.colour {
		return text
	}
	return "\x1b[" + string(m) + "m" + text + "\x1b[0m"
}

// print writes lines until the context ends. If the terminal takes none, it does not wait for that for ever.
func (d *activity) print(ctx context.Context, to io.Writer) {
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
func deliveryLine(a *qstash.Attempt) (what, outcome string, m mood) {
	var b strings.Builder
	m = bad
	var none *qstash.NoAnswer
	switch {
	case a.Err == nil:
		m = moodOf(a.Status)
		fmt.Fprintf(&b, "%d in %s", a.Status, rounded(a.Took))
	case errors.As(a.Err, &none) && none.Refused:
		fmt.Fprintf(&b, "nobody listens on %s", hostOf(a.URL))
	default:
		fmt.Fprintf(&b, "no answer in %s: %s", rounded(a.Took), oneLine(a.Err.Error()))
	}
	switch a.State {
	case qstash.EventRetry:
		m = odd
		fmt.Fprintf(&b, ", again in %s (retry %d of %d)", rounded(a.Next.Sub(a.At)), a.Retried+1, a.Retries)
	case qstash.EventFailed:
		m = bad
		b.WriteString(", failed for good")
	case qstash.EventCancelled:
		b.WriteString(", cancelled")
	}
	return fmt.Sprintf("%s  %s %s  ", a.At.Format(time.TimeOnly), a.Method, shownURL(a.URL)), b.String(), m
}

// moodOf is the mood of a status.
func moodOf(status int) mood {
	switch {
	case status < 400:
		return good
	case status < 500:
		return odd
	}
	return bad
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
