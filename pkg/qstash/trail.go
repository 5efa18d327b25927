package qstash

import (
	"fmt"
	"strconv"
	"strings"
)

// HeaderHops is the field of each delivery that says how its message has come about, see Trail. What
// publishers forward by this name is replaced.
const HeaderHops = "Upstash-Skystash-Hops"

// Trail follows messages that come of each other because a destination, or a callback's, is the API
// itself: the delivery is then a request, and says so in HeaderHops. A handler that publishes
// makes a request of its own, and begins a new trail.
//
// Of one request of a client come at most Limits.Hops generations of messages, each of at most
// Limits.Messages: the number of messages that each request on the way has made, multiplied, may
// not exceed that.
type Trail struct {
	Hops     int `json:"h,omitempty"` // deliveries on the way
	Messages int `json:"m,omitempty"` // of the requests on the way, multiplied; 0: 1
}

// ParseTrail reads HeaderHops. A text that no delivery has is that of a new trail.
func ParseTrail(text string) Trail {
	hops, messages, _ := strings.Cut(text, ";messages=")
	h, err := strconv.Atoi(hops)
	m, err2 := strconv.Atoi(messages)
	if err != nil || err2 != nil || h < 1 || m < 1 {
		return Trail{}
	}
	return Trail{h, m}
}

// String is the trail as HeaderHops has it.
func (t Trail) String() string { return fmt.Sprintf("%d;messages=%d", t.Hops, t.messages()) }

func (t Trail) messages() int { return max(1, t.Messages) }

// delivered is the trail of the request that a delivery of the message is.
func (t Trail) delivered() Trail { return Trail{t.Hops + 1, t.Messages} }

// parted is the trail of each of n messages.
func (t Trail) parted(n int) Trail {
	if m := int64(min(t.messages(), maxTrail)) * int64(n); m > 1 {
		t.Messages = int(min(m, maxTrail))
	}
	return t
}

// maxTrail keeps the product within its type. It is above all limits.
const maxTrail = 1 << 30

// check refuses what goes on for too long.
func (t Trail) check(l *Limits) error {
	switch {
	case t.Hops == 0:
		return nil
	case t.Hops > l.Hops:
		return &Error{KindLoop, fmt.Sprintf("loop detected: the request is a delivery of a message that has come of %d others by deliveries to QStash itself; limit %d", t.Hops, l.Hops)}
	case t.messages() > l.Messages:
		return &Error{KindLoop, fmt.Sprintf("loop detected: the request is a delivery by QStash itself, and more than %d messages would come of the one that began it", l.Messages)}
	}
	return nil
}

// Follow refuses a request that is a delivery of too many others, see Limits.Hops.
func (e *Engine) Follow(t Trail) error { return t.check(&e.limits) }
