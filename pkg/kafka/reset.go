package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// ResetOffsets sets committed offsets of a group that has no instances: from there its next instances
// begin. The offsets are stored as they are given, each partition's by itself. The error is of kind
// NotFound if there is no such group, and InUse while it has instances.
func (e *Engine) ResetOffsets(ctx context.Context, c *Cluster, group string, offsets []TopicOffset) error {
	if err := checkName("group", group); err != nil {
		return err
	}
	values := map[string]int64{}
	var names []string
	for _, o := range offsets {
		if o.Offset < 0 {
			return refuse(Invalid, "offset %d is negative", o.Offset)
		}
		name, err := e.groupPartition(ctx, c, o.TopicPartition)
		if err != nil {
			return err
		}
		if _, ok := values[name]; !ok {
			names = append(names, name)
		}
		values[name] = o.Offset
	}
	err := e.retry.Do(ctx, func(ctx context.Context) error {
		for len(names) > 0 {
			part := names[:min(len(names), maxTouched)]
			if err := e.resetOffsets(ctx, c, group, part, values); err != nil {
				return err
			}
			names = names[len(part):]
		}
		return nil
	})
	if store.Contended(err) {
		return fmt.Errorf("resetting offsets of group %s: %w", group, err)
	}
	return err
}

func (e *Engine) resetOffsets(ctx context.Context, c *Cluster, group string, names []string, values map[string]int64) error {
	g, err := e.loadGroup(ctx, c.ID, group)
	switch {
	case err != nil:
		return err
	case g.attrs == nil:
		return refuse(NotFound, "no group %q", group)
	case len(g.live(e.nowMs())) > 0:
		return refuse(InUse, "group %q has instances", group)
	case len(g.members) > 0:
		// They have expired. What they are known to have had is committed when they are taken out, so
		// that comes first.
		if _, err := e.rebalance(ctx, c, g, nil); err != nil {
			return err
		}
		return errRetry
	}
	edits := []store.Edit{store.Set(attrVersion, store.Bytes(writeID())), store.Set(attrRebalanced, store.Int(e.nowMs()))}
	for _, name := range names {
		edits = append(edits, store.Set(attrCommitted+name, store.Int(values[name])))
	}
	_, err = e.store.Apply(ctx, store.Update(groupKey(c.ID, group), g.unchanged(), edits...))
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnknownOutcome) {
		return errRetry // to set them again does no harm
	}
	if err != nil {
		return fmt.Errorf("resetting offsets of group %s: %w", group, err)
	}
	return nil
}

// ResetTo is where a group is to begin: at Offset if that is not negative, else at the first message
// with a timestamp of at least Time, Unix ms, which may be Earliest or Latest.
type ResetTo struct {
	TopicPartition
	Offset int64
	Time   int64
}

// FindResets finds the offsets that resets mean. It waits at most for the timeout for messages that were
// accepted before.
func (e *Engine) FindResets(ctx context.Context, c *Cluster, resets []ResetTo, timeout time.Duration) ([]TopicOffset, error) {
	out := make([]TopicOffset, len(resets))
	for i, r := range resets {
		out[i] = TopicOffset{r.TopicPartition, r.Offset}
		if r.Offset >= 0 {
			continue
		}
		found, err := e.Offsets(ctx, c, []TopicPartition{r.TopicPartition}, r.Time, timeout)
		if err != nil {
			return nil, err
		}
		out[i] = found[0]
	}
	return out, nil
}
