package qstash

import "time"

// runTTL is how long the items of a run are kept without being written again: for the longest delay
// and the longest wait behind a flow control key after it.
func (e *Engine) runTTL() time.Duration { return e.limits.MaxDelay + maxWait }
