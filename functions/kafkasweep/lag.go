package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/skystash/skystash/functions/backend/sweeper"
	"github.com/skystash/skystash/pkg/kafka"
)

// lagWriter writes how far groups are behind, in lines that CloudWatch makes metrics of.
type lagWriter struct {
	Engine interface {
		Clusters(ctx context.Context) ([]string, error)
		Cluster(ctx context.Context, id string) (*kafka.Cluster, error)
		Lags(ctx context.Context, c *kafka.Cluster) ([]kafka.GroupLag, error)
	}
	To  io.Writer
	Now func() time.Time
}

// namespace and the dimensions of the metrics. The alarm of the stack looks at the one without dimensions.
const namespace = "Skystash/Kafka"

var dimensions = [][]string{{"cluster", "group"}, {}}

// lagLine is a line in CloudWatch's embedded metric format. All numbers are messages.
type lagLine struct {
	AWS struct {
		Timestamp         int64 // Unix ms
		CloudWatchMetrics []metricSet
	} `json:"_aws"`
	Cluster    string `json:"cluster"`
	Group      string `json:"group"`
	Lag        int64  `json:"lag"`        // of all partitions
	MaxLag     int64  `json:"lagMax"`     // of the one that is furthest behind
	Partitions int    `json:"partitions"` // of these
	Unknown    int    `json:"unknown"`    // partitions of which the group has committed nothing
	Members    int    `json:"members"`    // of either kind
}

type metricSet struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metric struct{ Name, Unit string }

// Write writes a line for each group that reads anything. A cluster that fails does not hide the others.
func (w *lagWriter) Write(ctx context.Context) error {
	ids, err := w.Engine.Clusters(ctx)
	if err != nil {
		return fmt.Errorf("listing the clusters: %w", err)
	}
	lines := json.NewEncoder(w.To)
	var failed []error
	for _, id := range ids {
		c, err := w.Engine.Cluster(ctx, id)
		if kafka.IsKind(err, kafka.NotFound) {
			continue // it is being deleted
		}
		var groups []kafka.GroupLag
		if err == nil {
			groups, err = w.Engine.Lags(ctx, c)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("lag in cluster %s: %w", id, err))
			continue
		}
		for _, g := range groups {
			if len(g.Partitions) == 0 {
				continue
			}
			if err := lines.Encode(w.line(id, g)); err != nil {
				return fmt.Errorf("writing the lag: %w", err)
			}
		}
	}
	return errors.Join(failed...)
}

func (w *lagWriter) line(cluster string, g kafka.GroupLag) *lagLine {
	l := &lagLine{Cluster: cluster, Group: g.Name, Lag: g.Lag(), Partitions: len(g.Partitions), Unknown: g.Unknown(), Members: len(g.Instances)}
	for _, p := range g.Partitions {
		l.MaxLag = max(l.MaxLag, p.Lag)
	}
	l.AWS.Timestamp = w.Now().UnixMilli()
	l.AWS.CloudWatchMetrics = []metricSet{{namespace, dimensions, []metric{{"lag", "Count"}, {"lagMax", "Count"}}}}
	return l
}

// sweep is what the schedule starts: the lag first, since a sweep may take all the time there is.
type sweep struct {
	*sweeper.Sweeper
	lag *lagWriter // nil: nobody wants it
}

// Handle writes the lag and sweeps. A lag that cannot be had is no reason not to sweep.
func (s *sweep) Handle(ctx context.Context) (sweeper.Swept, error) {
	if s.lag != nil {
		if err := s.lag.Write(ctx); err != nil {
			s.Logger.LogAttrs(ctx, slog.LevelError, "lag not written", slog.Any("error", err))
		}
	}
	return s.Sweeper.Handle(ctx)
}
