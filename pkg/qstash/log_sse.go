package qstash

import (
	"fmt"
	"strings"
	"time"
)

// How soon a reader of server-sent events asks again: at once after events, since more may follow. Where
// the engine waits for events by itself, soon in any case.
const (
	againAfterEvents = 250 * time.Millisecond
	againWhenQuiet   = 3 * time.Second
)

// EventStream writes what stands for the events that Tail has returned as server-sent events, one after
// the other, and then the cursor for the next call: browsers, and other clients of such streams,
// call again by themselves and send it in the field Last-Event-ID.
func (e *Engine) EventStream(texts []string, cursor string) []byte {
	again := againWhenQuiet
	if len(texts) > 0 || e.tailHold > 0 {
		again = againAfterEvents
	}
	out := fmt.Appendf(nil, "retry: %d\n\n", again.Milliseconds())
	for _, text := range texts {
		for line := range strings.Lines(text) {
			out = fmt.Appendf(out, "data: %s\n", strings.TrimRight(line, "\r\n"))
		}
		out = append(out, '\n')
	}
	return fmt.Appendf(out, "id: %s\n\n", cursor)
}
