package qstash

import (
	"encoding/json"
	"fmt"
	"time"
)

// How soon a reader of server-sent events asks again: at once after events, since more may follow. Where
// the engine waits for events by itself, soon in any case.
const (
	againAfterEvents = 250 * time.Millisecond
	againWhenQuiet   = 3 * time.Second
)

// TailEvents writes the events that Tail returns as server-sent events, one after the other, and then
// the cursor for the next call: browsers, and other clients of such streams, call again by
// themselves and send it in the field Last-Event-ID.
func (e *Engine) TailEvents(entries []LogEntry, cursor string) ([]byte, error) {
	again := againWhenQuiet
	if len(entries) > 0 || e.tailHold > 0 {
		again = againAfterEvents
	}
	out := fmt.Appendf(nil, "retry: %d\n\n", again.Milliseconds())
	for i := range entries {
		text, err := json.Marshal(&entries[i])
		if err != nil {
			return nil, fmt.Errorf("writing an event of the log: %w", err)
		}
		out = fmt.Appendf(out, "data: %s\n\n", text)
	}
	return fmt.Appendf(out, "id: %s\n: end\n\n", cursor), nil
}
