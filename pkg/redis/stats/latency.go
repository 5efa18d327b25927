package stats

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// Events are commands that took as long as latency-monitor-threshold, or longer: "fast-command" for those that are O(1) or O(log n),
// "command" for others. There are no others: nothing is forked, evicted or written behind the clients' backs.

// maxSamples is how many samples of an event are kept, one a second at most, as in Redis.
const maxSamples = 160

// series are the samples of an event.
type series struct {
	samples []sample // in order of time
	max     int64    // ms, of all times
}

type sample struct{ at, ms int64 } // Unix seconds

// note remembers a slow command.
func (d *Database) note(cmd *command.Command, took time.Duration) {
	event := "command"
	if cmd.Has(command.Fast) {
		event = "fast-command"
	}
	now, ms := d.book.now().Unix(), took.Milliseconds()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.events[event]
	if s == nil {
		s = &series{}
		d.events[event] = s
	}
	s.max = max(s.max, ms)
	if n := len(s.samples); n > 0 && s.samples[n-1].at == now {
		s.samples[n-1].ms = max(s.samples[n-1].ms, ms)
		return
	}
	if len(s.samples) == maxSamples {
		s.samples = append(s.samples[:0], s.samples[1:]...)
	}
	s.samples = append(s.samples, sample{now, ms})
}

// History writes the reply to LATENCY HISTORY.
func (d *Database) History(w *resp.Writer, event string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.events[event]
	if s == nil {
		w.Array(0)
		return
	}
	w.Array(len(s.samples))
	for _, one := range s.samples {
		w.Array(2)
		w.Int(one.at)
		w.Int(one.ms)
	}
}

// Latest writes the reply to LATENCY LATEST.
func (d *Database) Latest(w *resp.Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.Array(len(d.events))
	for _, event := range slices.Sorted(maps.Keys(d.events)) {
		s := d.events[event]
		last := s.samples[len(s.samples)-1]
		w.Array(4)
		w.Bulk(event)
		w.Int(last.at)
		w.Int(last.ms)
		w.Int(s.max)
	}
}

// ResetEvents forgets events, all if none is named, and returns how many there were.
func (d *Database) ResetEvents(names []string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(names) == 0 {
		n = len(d.events)
		clear(d.events)
		return n
	}
	for _, name := range names {
		if d.events[name] != nil {
			delete(d.events, name)
			n++
		}
	}
	return n
}

// Histogram writes the reply to LATENCY HISTOGRAM, for commands with their subcommands, or for all if none is named. What is
// named twice is in it once.
func (d *Database) Histogram(w *resp.Writer, names []string) {
	mark, n := w.Mark(), 0
	show := func(c *counter) {
		rows, calls := c.took.cumulative()
		if calls == 0 {
			return
		}
		n++
		w.Bulk(c.command.Full())
		w.Map(2)
		w.Bulk("calls")
		w.Int(calls)
		w.Bulk("histogram_usec")
		w.Map(len(rows))
		for _, r := range rows {
			w.Int(r.micros)
			w.Int(r.calls)
		}
	}
	all := d.counted()
	if len(names) == 0 {
		for _, c := range all {
			show(c)
		}
	}
	named := map[string][]*counter{}
	for _, c := range all {
		full := c.command.Full()
		named[full] = append(named[full], c)
		if parent, _, is := strings.Cut(full, "|"); is {
			named[parent] = append(named[parent], c)
		}
	}
	for _, name := range names {
		name = strings.ToLower(name)
		for _, c := range named[name] {
			show(c)
		}
		delete(named, name)
	}
	w.MapAt(mark, n)
}

// Doctor is the report of LATENCY DOCTOR. logged is from how many ms on commands are in the slow log; negative: none is.
func (d *Database) Doctor(logged int64) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	threshold := d.threshold.Load()
	switch {
	case len(d.events) == 0 && threshold == 0:
		return "Dave, latency monitoring is disabled for this database. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>\" in order to enable it.\n"
	case len(d.events) == 0:
		return "Dave, no latency spike was observed in this process, not in the slightest bit.\n"
	}
	var text strings.Builder
	text.WriteString("Dave, I have observed latency spikes of this database in this process.\n\n")
	for i, event := range slices.Sorted(maps.Keys(d.events)) {
		s := d.events[event]
		average, deviation := s.spread()
		period := float64(d.book.now().Unix()-s.samples[0].at) / float64(len(s.samples))
		fmt.Fprintf(&text, "%d. %s: %d latency spikes (average %dms, mean deviation %dms, period %.2f sec). Worst all time event %dms.\n",
			i+1, event, len(s.samples), average, deviation, period, s.max)
	}
	text.WriteString("\nI have a few advices for you:\n\n")
	if logged < 0 || logged > threshold {
		fmt.Fprintf(&text, "- Let the slow log hold these commands: 'CONFIG SET slowlog-log-slower-than %d'.\n", threshold*1000)
	}
	text.WriteString("- Check your slow log to see which commands are slow.\n" +
		"- A command waits for the database's store, for others that write the same keys, and for its turn among those that work long: " +
		"look for large values, for keys that everybody writes, and for scripts.\n")
	return text.String()
}

// spread is the average of samples and their mean deviation from it, in ms.
func (s *series) spread() (average, deviation int64) {
	n := int64(len(s.samples))
	for _, one := range s.samples {
		average += one.ms
	}
	average /= n
	for _, one := range s.samples {
		deviation += max(one.ms-average, average-one.ms)
	}
	return average, deviation / n
}

// graph is 80 columns wide and has four rows, each of which has three levels.
const (
	graphColumns = 80
	graphRows    = 4
	graphLevels  = "_o#"
)

// Graph is the reply to LATENCY GRAPH; ok is false if there is no such event.
func (d *Database) Graph(event string) (text string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.events[strings.ToLower(event)]
	if s == nil {
		return "", false
	}
	low, high := int64(math.MaxInt64), int64(0)
	for _, one := range s.samples {
		low, high = min(low, one.ms), max(high, one.ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n%s\n", strings.ToLower(event), high, low, s.max, strings.Repeat("-", graphColumns))
	for part := range slices.Chunk(s.samples, graphColumns) {
		d.draw(&b, part, low, high)
	}
	return b.String(), true
}

// draw draws samples as bars, with how long ago each was below it, from top to bottom.
func (d *Database) draw(b *strings.Builder, samples []sample, low, high int64) {
	const steps = graphRows * len(graphLevels)
	for row := graphRows - 1; row >= 0; row-- {
		line := make([]byte, len(samples))
		for i, one := range samples {
			level := int((one.ms - low) * int64(steps-1) / max(high-low, 1))
			switch over := level - row*len(graphLevels); {
			case over < 0:
				line[i] = ' '
			case over >= len(graphLevels):
				line[i] = '|'
			default:
				line[i] = graphLevels[over]
			}
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	b.WriteByte('\n')
	ages := make([]string, len(samples))
	longest := 0
	for i, one := range samples {
		ages[i] = age(d.book.now().Unix() - one.at)
		longest = max(longest, len(ages[i]))
	}
	for at := range longest {
		line := make([]byte, len(samples))
		for i, text := range ages {
			if line[i] = ' '; at < len(text) {
				line[i] = text[at]
			}
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
}

// age is a number of seconds as people say it.
func age(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}
