package kafka

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// unknownEnd is where the data of a log ends whose head does not say it, or says it of another
// watermark: it was moved by a version that did not keep this.
const unknownEnd = -1

func dataOf(as store.Attrs) int64 {
	mark := as.Get(headMark).Num()
	if mark == 0 {
		return 0
	}
	n, ok := readVarints(as.Get(headData).Str(), 2)
	if !ok || n[0] != mark {
		return unknownEnd
	}
	return n[1]
}

// dataEnd is the end of a log as clients of the wire protocol see it: the offset behind the last message
// below the watermark, or the log's start. Voids between it and the watermark have nothing to read. A
// client that knew of them would wait for their messages forever, and count them as its lag.
func (e *Engine) dataEnd(ctx context.Context, log string, h *head) (int64, error) {
	end := h.data
	if end == unknownEnd {
		s, err := e.lastData(ctx, log, h.mark)
		if err != nil {
			return 0, err
		}
		end = 0
		if s != nil {
			end = s.next
		}
	}
	return max(end, h.first().offset), nil
}

// lastData finds the last segment below the watermark that has data; nil: there is none.
func (e *Engine) lastData(ctx context.Context, log string, mark int64) (*segment, error) {
	q := store.Query{Partition: log, From: kindSegment, To: offsetKey(log, kindSegment, mark).Sort, Reverse: true, Limit: 1}
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("finding the end of a log's data: %w", err)
		}
		for _, it := range page.Items {
			if s := segmentOf(offsetOf(it.Key), it.Attrs); !s.isVoid() {
				return s, nil
			}
		}
		if !page.More {
			return nil, nil
		}
		q = q.Next(page)
	}
}
