package rest

import (
	"strconv"
	"sync/atomic"
	"time"
)

// syncTokens makes the values of upstash-sync-token: microseconds since 1970 in
// base 32 ([0-9a-v]), and always more than the last. Tokens of several
// instances thus grow alike, give or take their clocks.
type syncTokens struct {
	now  func() time.Time
	last atomic.Int64
}

func (s *syncTokens) next() string {
	now := s.now().UnixMicro()
	for {
		last := s.last.Load()
		next := max(now, last+1)
		if s.last.CompareAndSwap(last, next) {
			return strconv.FormatInt(next, 32)
		}
	}
}
