package qstash

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// A link is an item of a workflow run's partition. It names what the run waits for and what is not,
// or not yet, an entry: a request to a third party, a delayed step, a waiter or a run that it has invoked.
// Links stay when the wait is over, as the log of the run shows their facts.

// Sort keys of links: each begins with linkSort and one of the kinds.
const (
	linkSort    = "l"
	linkMessage = 'm' // the message's id follows
	linkWaiter  = 'w' // the step's id, or the waiter's if the step has none
	linkRun     = 'c' // the invoked run's id
)

// link is a link as it was read.
type link struct {
	kind byte
	name string // what follows the kind in the sort key
	made time.Time
	over bool // the supervisor has seen that the wait is over
	Wait *waitLink
	Run  *runLink
}

// waitLink is what the log knows of a wait.
type waitLink struct {
	Event    string          `json:"e"`
	Step     json.RawMessage `json:"s"`
	Timeout  time.Duration   `json:"t"`
	At       time.Time       `json:"a"`
	WaiterID string          `json:"w"`
}

func (w *waitLink) deadline() time.Time { return w.At.Add(w.Timeout) }

// runLink is what an invoking run knows of an invoked one.
type runLink struct {
	URL       string          `json:"u"`
	Step      json.RawMessage `json:"s"`
	CreatedAt time.Time       `json:"c"`
	Ended     bool            `json:"-"`
}

// linkEnded is present at the link of an invoked run that has ended.
const linkEnded = "z"

// Further attributes of links.
const (
	linkMade = "t" // ms: when it was written
	linkOver = "o" // present: the wait is over
)

func linkKey(acct, runID, name string) store.Key {
	return store.Key{Partition: runPartition(acct, runID), Sort: linkSort + name}
}

func messageLink(id string) string { return string(rune(linkMessage)) + id }
func waiterLink(id string) string  { return string(rune(linkWaiter)) + id }
func invokedLink(id string) string { return string(rune(linkRun)) + id }

// linkOp writes a link; text is its JSON, if it has any.
func linkOp(acct, runID, name string, text []byte, made, expires time.Time) store.Op {
	attrs := []store.Attr{{Name: linkMade, Value: store.Int(made.UnixMilli())}, {Name: store.TTLAttr, Value: store.Int(expires.Unix())}}
	if len(text) > 0 {
		attrs = append(attrs, store.Attr{Name: attrJSON, Value: store.Bytes(string(text))})
	}
	return store.Put(linkKey(acct, runID, name), store.NewAttrs(attrs...), nil)
}

// links reads the links of a run.
func (e *Engine) links(ctx context.Context, acct, runID string) ([]link, error) {
	var list []link
	err := e.each(ctx, store.Query{Partition: runPartition(acct, runID), From: linkSort, To: store.PrefixEnd(linkSort)}, func(it store.Item) (bool, error) {
		if len(it.Key.Sort) < 2 {
			return true, nil
		}
		l := link{kind: it.Key.Sort[1], name: it.Key.Sort[2:], made: time.UnixMilli(it.Attrs.Get(linkMade).Num()), over: it.Attrs.Has(linkOver)}
		var v any
		switch l.kind {
		case linkWaiter:
			l.Wait = &waitLink{}
			v = l.Wait
		case linkRun:
			l.Run = &runLink{Ended: it.Attrs.Has(linkEnded)}
			v = l.Run
		}
		if text := it.Attrs.Get(attrJSON).Str(); v != nil && text != "" {
			if err := json.Unmarshal([]byte(text), v); err != nil {
				return false, fmt.Errorf("reading what workflow run %s waits for: %w", runID, err)
			}
		}
		list = append(list, l)
		return true, nil
	})
	return list, err
}

// stepID is the id of a step, "" if it has none.
func stepID(step json.RawMessage) string {
	var fields struct {
		ID json.Number `json:"stepId"`
	}
	if json.Unmarshal(step, &fields) != nil {
		return ""
	}
	return fields.ID.String()
}

// key is the link's name in linkKey.
func (l *link) key() string { return string(rune(l.kind)) + l.name }
