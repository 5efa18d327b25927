package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// idleLook is how often a gateway looks whether it has clients. Connections between two looks count, too.
const idleLook = 30 * time.Second

// census is what tells whether there have been clients: those there are, and those there have been with them.
type census func() (open int, total uint64)

// idleness is how long there has been no client.
type idleness struct {
	census census
	now    func() time.Time

	total uint64
	since time.Time
}

func newIdleness(c census, now func() time.Time) *idleness {
	_, total := c()
	return &idleness{census: c, now: now, total: total, since: now()}
}

// look is how long there has been no client.
func (i *idleness) look() time.Duration {
	now := i.now()
	if open, total := i.census(); open > 0 || total != i.total {
		i.total, i.since = total, now
	}
	return now.Sub(i.since)
}

// ECS is what switching off needs of ECS's client.
type ECS interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// switchOff switches the service off once the gateway has had no client for long enough.
func switchOff(ctx context.Context, cfg config, client ECS, idle *idleness, log *slog.Logger) {
	ticks := time.NewTicker(idleLook)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if idle.look() < cfg.idle {
			continue
		}
		off, err := stopService(ctx, cfg, client)
		if err != nil && ctx.Err() == nil {
			log.Error("the idle gateway cannot switch itself off", "error", err)
		}
		if off {
			log.Info("switched off, as there has been no client", "for", cfg.idle)
		}
	}
}

// stopService makes the number of gateways 0, if it is 1. Where there are more, others may have clients, and
// ECS alone chooses which one ends.
func stopService(ctx context.Context, cfg config, client ECS) (off bool, err error) {
	out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cfg.cluster, Services: []string{cfg.service}})
	if err != nil {
		return false, fmt.Errorf("reading how many gateways there shall be: %w", err)
	}
	if len(out.Services) != 1 {
		return false, fmt.Errorf("the service %s of the cluster %s is not there", cfg.service, cfg.cluster)
	}
	if out.Services[0].DesiredCount != 1 {
		return false, nil
	}
	_, err = client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &cfg.cluster, Service: &cfg.service, DesiredCount: aws.Int32(0)})
	if err != nil {
		return false, fmt.Errorf("making the number of gateways 0: %w", err)
	}
	return true, nil
}
