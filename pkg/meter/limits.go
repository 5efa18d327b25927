package meter

import (
	"encoding/json"
	"time"
)

// Limits bound what a resource may use. The zero value bounds nothing.
type Limits struct {
	DailyRequests int64   `json:"daily_requests"` // Counters.Commands of a UTC day; 0: no limit
	MonthlyBudget float64 `json:"monthly_budget"` // dollars of a UTC month, as package price estimates them; 0: no limit
}

// WarnAt is the fraction of a limit at which there is a warning.
const WarnAt = 0.8

// Level says how usage compares with a limit.
type Level string

const (
	LevelOK      Level = ""
	LevelWarning Level = "warning" // WarnAt of a limit is used
	LevelBlocked Level = "blocked" // a limit is reached: requests are refused
)

// Block is what a product's record says of a limit that has been reached.
type Block struct {
	Text  string    `json:"text"`            // that requests are refused with; "": they are not refused
	Limit int64     `json:"limit,omitempty"` // the limit if it is one of requests, 0 if it is another
	Until time.Time `json:"until"`           // when the day or the month ends, and with it the refusal
}

// Holds reports whether requests are refused at a time.
func (b Block) Holds(now time.Time) bool { return b.Text != "" && now.Before(b.Until) }

// Encode returns the text that records store for a Block. It is "" if nothing is refused.
func (b Block) Encode() string {
	if b.Text == "" {
		return ""
	}
	text, _ := json.Marshal(b) // its fields always can be
	return string(text)
}

// DecodeBlock decodes a text of Encode. An empty or malformed text gives the zero Block, which
// refuses nothing.
func DecodeBlock(text string) Block {
	var b Block
	if text == "" || json.Unmarshal([]byte(text), &b) != nil {
		return Block{}
	}
	return b
}

// Names of limits in a Status.
const (
	LimitRequests = "daily_requests"
	LimitBudget   = "monthly_budget"
)

// Status says how a resource's usage compares with its limits, as of the last fold.
type Status struct {
	Level Level     `json:"level"`
	Limit string    `json:"limit"` // the limit that it is about, LimitRequests or LimitBudget; "" if Level is LevelOK
	Text  string    `json:"text"`  // for people, or of the refusal
	Used  float64   `json:"used"`  // requests or dollars
	Of    float64   `json:"of"`    // the limit
	Since time.Time `json:"since"` // when Level was reached
	Until time.Time `json:"until"` // when the day or the month ends
}
