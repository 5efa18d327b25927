package rest

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/skystash/skystash/pkg/kafka"
)

// lagAnswer is a partition in the answer of /lag.
type lagAnswer struct {
	Topic     string  `json:"topic"`
	Partition int     `json:"partition"`
	Committed int64   `json:"committed"` // -1: nothing is
	End       int64   `json:"end"`
	Lag       *int64  `json:"lag"`      // null: nothing is committed
	Instance  *string `json:"instance"` // null: none has the partition
}

// lag: /lag/group. Partitions of topics that the credential may not consume from are left out.
func (x *exchange) lag() (any, error) {
	if err := x.mayUseGroup(x.path[0]); err != nil {
		return nil, err
	}
	g, err := x.h.engine.Lag(x.ctx, x.cluster, x.path[0])
	if err != nil {
		return nil, err
	}
	out := []lagAnswer{}
	for _, p := range g.Partitions {
		if !x.claims.MayConsume(p.Topic) {
			continue
		}
		a := lagAnswer{Topic: p.Topic, Partition: p.Partition, Committed: p.Committed, End: p.End}
		if p.Lag >= 0 {
			a.Lag = &p.Lag
		}
		if p.Instance != "" {
			a.Instance = &p.Instance
		}
		out = append(out, a)
	}
	return out, nil
}

// goal is where a reset goes to: "earliest", "latest", a time in ms, or {"offset": n}.
type goal struct {
	time   int64
	offset int64 // -1: the time counts
}

// UnmarshalJSON implements json.Unmarshaler.
func (g *goal) UnmarshalJSON(text []byte) error {
	*g = goal{offset: -1}
	var to struct {
		Offset *int64 `json:"offset"`
	}
	switch text = bytes.TrimSpace(text); {
	case string(text) == `"earliest"`:
		g.time = kafka.Earliest
	case string(text) == `"latest"`:
		g.time = kafka.Latest
	case len(text) > 0 && text[0] == '{' && json.Unmarshal(text, &to) == nil && to.Offset != nil && *to.Offset >= 0:
		g.offset = *to.Offset
	case json.Unmarshal(text, &g.time) == nil && g.time >= 0:
	default:
		return badRequest(`"to" is none of "earliest", "latest", a time in milliseconds and {"offset": number}`)
	}
	return nil
}

// reset: /reset/group, for a group without instances.
func (x *exchange) reset() (any, error) {
	timeout, err := x.queryTimeout(defaultOffsetsTimeout)
	if err != nil {
		return nil, err
	}
	in, _, err := decodeMany[struct {
		Topic     *string         `json:"topic"`
		Partition *int32          `json:"partition"` // nil: all of the topic
		To        json.RawMessage `json:"to"`
	}](x, x.body)
	if err != nil {
		return nil, err
	}
	if err := x.mayUseGroup(x.path[0]); err != nil {
		return nil, err
	}
	var resets []kafka.ResetTo
	for _, r := range in {
		var to goal
		if err := to.UnmarshalJSON(r.To); err != nil {
			return nil, err
		}
		numbers := []int32{0}
		if r.Partition != nil {
			numbers[0] = *r.Partition
		}
		tp, err := x.partition(&place{Topic: r.Topic, Partition: &numbers[0]})
		if err != nil {
			return nil, err
		}
		if r.Partition == nil {
			t, err := x.h.engine.Topic(x.ctx, x.cluster, tp.Topic)
			if err != nil {
				return nil, err
			}
			for p := 1; p < t.Partitions; p++ {
				numbers = append(numbers, int32(p))
			}
		}
		for _, p := range numbers {
			resets = append(resets, kafka.ResetTo{
				TopicPartition: kafka.TopicPartition{Topic: tp.Topic, Partition: int(p)}, Offset: to.offset, Time: to.time,
			})
		}
	}
	offsets, err := x.h.engine.FindResets(x.ctx, x.cluster, resets, timeout)
	if err != nil {
		return nil, err
	}
	if err := x.h.engine.ResetOffsets(x.ctx, x.cluster, x.path[0], offsets); err != nil {
		return nil, err
	}
	return offsetAnswers(slices.Clip(offsets)), nil
}
