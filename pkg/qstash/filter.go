package qstash

import (
	"net/url"
	"slices"
	"strings"
)

// Filter selects messages, events or dead letters. Of a field's values one has to
// match, of the fields all; an empty field matches everything.
type Filter struct {
	MessageIDs  []string
	DLQIDs      []string
	URL         []string
	Host        []string
	Path        []string
	Topic       []string
	Queue       []string
	Schedule    []string
	Label       []string
	FlowKey     []string
	CallerIP    []string
	State       []string // of events
	Status      []int    // of dead letters: the last answer's
	Contains    string   // a part of the destination's URL
	Answer      [2]int   // of events: the least and the greatest status of the destination's answer; zero: any, or none
	From, To    int64    // ms, inclusive; 0: no bound
	Workflow    bool     // what belongs to workflow runs instead of what does not
	RunID       []string
	WorkflowURL []string

	FailureState []string // of dead letters of workflow runs: that of their failure callback
}

func anyOf(values []string, value string) bool {
	return len(values) == 0 || slices.Contains(values, value)
}

func (f *Filter) inTime(ms int64) bool {
	return ms >= f.From && (f.To == 0 || ms <= f.To)
}

// matchRecord judges what does not change about a message.
func (f *Filter) matchRecord(r *record) bool {
	if !anyOf(f.URL, r.URL) || !anyOf(f.Topic, r.Topic) || !anyOf(f.Queue, r.Queue) ||
		!anyOf(f.Schedule, r.ScheduleID) || !anyOf(f.CallerIP, r.CallerIP) {
		return false
	}
	if f.Contains != "" && !strings.Contains(r.URL, f.Contains) {
		return false
	}
	if len(f.Label) > 0 && !slices.ContainsFunc(r.Labels, func(l string) bool { return slices.Contains(f.Label, l) }) {
		return false
	}
	if len(f.FlowKey) > 0 && (r.Flow == nil || !slices.Contains(f.FlowKey, r.Flow.Key)) {
		return false
	}
	if len(f.RunID) > 0 && (r.Workflow == nil || !slices.Contains(f.RunID, r.Workflow.RunID)) {
		return false
	}
	if len(f.WorkflowURL) > 0 && (r.Workflow == nil || !slices.Contains(f.WorkflowURL, r.Workflow.URL)) {
		return false
	}
	if len(f.Host) == 0 && len(f.Path) == 0 {
		return true
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return (anyOf(f.Host, u.Host) || slices.Contains(f.Host, u.Hostname())) && (anyOf(f.Path, path) || slices.Contains(f.Path, u.Path))
}

// matchMessage judges a message by itself and its time of creation.
func (f *Filter) matchMessage(m *message) bool {
	return anyOf(f.MessageIDs, m.id) && f.inTime(m.rec.CreatedAt.UnixMilli()) && f.matchRecord(&m.rec)
}

// matchEvent judges an event.
func (f *Filter) matchEvent(ev *event) bool {
	if f.Answer != [2]int{} && (ev.Status < f.Answer[0] || ev.Status > f.Answer[1]) {
		return false
	}
	return f.matchState(ev.State) && f.inTime(ev.At)
}

// matchState judges an event's state.
func (f *Filter) matchState(state string) bool {
	if len(f.State) == 0 {
		return true
	}
	for _, want := range f.State {
		switch want {
		case "IN_PROGRESS":
			if state == EventActive || state == EventRetry || state == EventError {
				return true
			}
		case "CANCELLED":
			if state == EventCancelled {
				return true
			}
		case state:
			return true
		}
	}
	return false
}
