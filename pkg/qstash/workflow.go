package qstash

import "time"

// Workflow is what a message has to do with a workflow run.
type Workflow struct {
	RunID     string    `json:"r"`
	URL       string    `json:"u,omitempty"`
	CreatedAt time.Time `json:"c,omitzero"`
}
