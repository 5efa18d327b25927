package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/functions/backend/sweeper"
	"github.com/skystash/skystash/pkg/kafka"
)

// clusters is an engine with a cluster that works, one that is being deleted and one that fails.
type clusters struct{ swept bool }

func (*clusters) Clusters(context.Context) ([]string, error) {
	return []string{"gone", "broken", "good"}, nil
}

func (*clusters) Cluster(_ context.Context, id string) (*kafka.Cluster, error) {
	if id == "gone" {
		return nil, &kafka.Error{Kind: kafka.NotFound, Text: "gone"}
	}
	return &kafka.Cluster{ID: id}, nil
}

func (*clusters) Lags(_ context.Context, c *kafka.Cluster) ([]kafka.GroupLag, error) {
	if c.ID == "broken" {
		return nil, errors.New("throttled")
	}
	return []kafka.GroupLag{
		{Name: "reads nothing"},
		{Name: "behind", Instances: []string{"i"}, Partitions: []kafka.PartitionLag{{Lag: 7}, {Lag: -1}, {Lag: 30}}},
		{Name: "at the end", Partitions: []kafka.PartitionLag{{Lag: 0}}},
	}, nil
}

func (c *clusters) Reclaim(context.Context) (int, error) {
	c.swept = true
	return 0, nil
}

func TestLagIsWrittenAsMetrics(t *testing.T) {
	var lines, log bytes.Buffer
	engine := &clusters{}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	s := &sweep{
		Sweeper: &sweeper.Sweeper{Engine: engine, Logger: logger},
		lag:     &lagWriter{Engine: engine, To: &lines, Now: func() time.Time { return time.UnixMilli(1_800_000_000_000) }},
	}
	if _, err := s.Handle(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = `{"_aws":{"Timestamp":1800000000000,"CloudWatchMetrics":[{"Namespace":"Skystash/Kafka",` +
		`"Dimensions":[["cluster","group"],[]],"Metrics":[{"Name":"lag","Unit":"Count"},{"Name":"lagMax","Unit":"Count"}]}]},` +
		`"cluster":"good","group":"behind","lag":37,"lagMax":30,"partitions":3,"unknown":1,"members":1}`
	first, rest, _ := strings.Cut(lines.String(), "\n")
	if first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	var second lagLine
	if err := json.Unmarshal([]byte(rest), &second); err != nil || second.Group != "at the end" || second.Lag != 0 {
		t.Errorf("second line %s: %v", rest, err)
	}
	if !strings.Contains(log.String(), "cluster broken: throttled") {
		t.Errorf("log: %s", log.String())
	}
	if !engine.swept {
		t.Error("nothing was swept, for one cluster's sake")
	}
}
