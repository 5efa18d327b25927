package rest

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"
)

// syncTokens makes the moments in upstash-sync-token: microseconds since 1970, and always more than the
// last. Moments of several instances thus grow alike, give or take their clocks.
type syncTokens struct {
	now  func() time.Time
	last atomic.Int64
}

func (s *syncTokens) next() int64 {
	now := s.now().UnixMicro()
	for {
		last := s.last.Load()
		next := max(now, last+1)
		if s.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

const (
	// abroadLife is for how long after an answer of another region a client's reads go to the primary
	// region. It is as long as the engine's marks are kept.
	abroadLife = 24 * time.Hour
	// maxSyncToken bounds a token that is looked at.
	maxSyncToken = 128
)

// syncToken is the token of an answer. Numbers are in base 32 ([0-9a-v]).
//
//	moment                              of a request without a database
//	moment.database                     the primary region's; the database as a hash
//	moment.database.region              of a read region
//	moment.database.region.moment       the same, for a client that had an answer of another region at the second moment
func (h *Handler) syncToken(s *scratch) string {
	var room [96]byte
	b := strconv.AppendInt(room[:0], h.sync.next(), 32)
	if s.used.db != nil {
		b = append(b, '.')
		b = strconv.AppendUint(b, databaseTag(s.used.db.ID), 32)
		if h.region != nil {
			b = append(append(b, '.'), h.region.Name...)
			if s.abroad != 0 {
				b = strconv.AppendInt(append(b, '.'), s.abroad, 32)
			}
		}
	}
	return string(b)
}

func databaseTag(id string) uint64 { return xxh3.HashString(id) }

// lastAbroad is when the client last had an answer from another region, as far as a token tells, in
// microseconds since 1970; 0 if it does not, or if that is too long ago to matter. Clients send
// what they like: what is no token of this database tells nothing.
func lastAbroad(syncToken, database, region string, now time.Time) int64 {
	if syncToken == "" || len(syncToken) > maxSyncToken {
		return 0
	}
	parts := strings.Split(syncToken, ".")
	if len(parts) < 2 || len(parts) > 4 {
		return 0
	}
	if tag, err := strconv.ParseUint(parts[1], 32, 64); err != nil || tag != databaseTag(database) {
		return 0
	}
	moment := parts[0]
	if len(parts) > 2 && parts[2] == region {
		if len(parts) == 3 {
			return 0
		}
		moment = parts[3]
	}
	at, err := strconv.ParseInt(moment, 32, 64)
	if err != nil || at <= now.Add(-abroadLife).UnixMicro() {
		return 0
	}
	return min(at, now.UnixMicro())
}
