package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	sweeps "github.com/skystash/skystash/functions/backend/sweeper"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
)

// sweeper handles the events of the schedule and of the table's stream.
type sweeper struct {
	scheduled sweeps.Sweeper
	engine    interface {
		ReclaimChange(ctx context.Context, c redis.Change) (int, error)
	}
	log *slog.Logger
}

// handle answers the stream's events with events.DynamoDBEventResponse, all others with sweeps.Swept.
func (s *sweeper) handle(ctx context.Context, event json.RawMessage) (any, error) {
	var woken struct {
		Records []json.RawMessage `json:"Records"`
	}
	if err := json.Unmarshal(event, &woken); err != nil {
		return nil, fmt.Errorf("sweep: reading the event: %w", err)
	}
	if woken.Records == nil {
		return s.scheduled.Handle(ctx)
	}
	return s.records(ctx, woken.Records), nil
}

// records clears away what the records name, one after the other. The first one that
// it cannot do is to be delivered again, with all behind it. A record that is none of ours would
// fail again and again: it is left out.
func (s *sweeper) records(ctx context.Context, records []json.RawMessage) events.DynamoDBEventResponse {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-sweeps.Margin))
		defer cancel()
	}
	begin := time.Now()
	resp := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
	deleted := 0
	for i, raw := range records {
		var r events.DynamoDBEventRecord
		if err := json.Unmarshal(raw, &r); err != nil {
			s.log.ErrorContext(ctx, "a record that is left out", "error", err)
			continue
		}
		n, err := s.engine.ReclaimChange(ctx, redis.Change{
			Key: keyOf(r.Change.Keys),
			Old: attrsOf(r.Change.OldImage),
			New: attrsOf(r.Change.NewImage),
		})
		deleted += n
		if err != nil {
			s.log.ErrorContext(ctx, "records are to be delivered again", "from", r.Change.SequenceNumber, "of", len(records), "after", i, "error", err)
			resp.BatchItemFailures = append(resp.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: r.Change.SequenceNumber})
			break
		}
	}
	s.log.InfoContext(ctx, "swept", "deleted", deleted, "records", len(records), "duration_ms", time.Since(begin).Milliseconds())
	return resp
}

func keyOf(keys map[string]events.DynamoDBAttributeValue) store.Key {
	as := attrsOf(keys)
	return store.Key{Partition: as.Get("p").Str(), Sort: as.Get("s").Str()}
}

// attrsOf are an image's bytes and integers, nil if there is no image.
func attrsOf(image map[string]events.DynamoDBAttributeValue) store.Attrs {
	if image == nil {
		return nil
	}
	attrs := make([]store.Attr, 0, len(image))
	for name, v := range image {
		switch v.DataType() {
		case events.DataTypeBinary:
			attrs = append(attrs, store.Attr{Name: name, Value: store.Bytes(string(v.Binary()))})
		case events.DataTypeNumber:
			if n, err := v.Integer(); err == nil {
				attrs = append(attrs, store.Attr{Name: name, Value: store.Int(n)})
			}
		}
	}
	return store.NewAttrs(attrs...)
}
