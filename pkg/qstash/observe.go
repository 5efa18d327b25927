package qstash

import "time"

// Attempt is an attempt to deliver a message, when its outcome has been recorded.
type Attempt struct {
	Account, MessageID string
	Method, URL        string
	Status             int           // of the answer; 0: there was none
	Err                error         // why there was none
	State              string        // EventDelivered, EventFailed, EventCancelled, or EventRetry: there is a next one
	Next               time.Time     // of EventRetry
	Retried, Retries   int           // retries that came before it, and that there may be
	Lag                time.Duration // from when it was due until it was sent: what the message had to wait for here
	Took               time.Duration // from then until the answer: what the destination took
	At                 time.Time     // of the answer
}

// attemptStates are the states of Attempt, by the message's.
var attemptStates = map[state]string{
	stateWaiting: EventRetry, stateDelivered: EventDelivered, stateFailed: EventFailed, stateCancelled: EventCancelled,
}

// timing is when an attempt was sent, and how long that took.
type timing struct {
	lag, took time.Duration
}

// timed notes when a message's attempt is sent; the function returned notes its end.
func (e *Engine) timed(m *message) (end func()) {
	began := e.now()
	m.timing = timing{lag: max(0, began.Sub(m.at))}
	return func() { m.timing.took = max(0, e.now().Sub(began)) }
}

// tell tells Config.Observe of an attempt.
func (e *Engine) tell(m *message, d *Delivery, o *outcome) {
	if e.observer == nil {
		return
	}
	e.observer(Attempt{
		Account: m.acct, MessageID: m.id, Method: d.Method, URL: d.URL, Status: o.resp.Status, Err: o.err,
		State: attemptStates[o.state], Next: o.next, Retried: m.retried, Retries: m.rec.maxRetries(),
		Lag: m.timing.lag, Took: m.timing.took, At: e.now(),
	})
}
