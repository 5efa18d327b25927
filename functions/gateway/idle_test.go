package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// service is ECS with one service.
type service struct{ desired atomic.Int32 }

func (s *service) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return &ecs.DescribeServicesOutput{Services: []types.Service{{DesiredCount: s.desired.Load()}}}, nil
}

func (s *service) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	s.desired.Store(*in.DesiredCount)
	return &ecs.UpdateServiceOutput{}, nil
}

func TestIdleGatewaySwitchesItselfOff(t *testing.T) {
	for _, c := range []struct {
		name    string
		desired int32
		census  func(begin time.Time) (open int, total uint64)
		after   time.Duration // when it is off; 0: never
	}{
		{"no client", 1, func(time.Time) (int, uint64) { return 0, 0 }, 10 * time.Minute},
		{"a client that stays", 1, func(time.Time) (int, uint64) { return 1, 1 }, 0},
		{"short clients every five minutes", 1, func(begin time.Time) (int, uint64) { return 0, uint64(time.Since(begin) / (5 * time.Minute)) }, 0},
		{"a client in the first hour", 1, func(begin time.Time) (int, uint64) {
			if time.Since(begin) < time.Hour {
				return 1, 1
			}
			return 0, 1
		}, 70 * time.Minute},
		{"two gateways", 2, func(time.Time) (int, uint64) { return 0, 0 }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begin, s := time.Now(), &service{}
				s.desired.Store(c.desired)
				idle := newIdleness(func() (int, uint64) { return c.census(begin) }, time.Now)
				go switchOff(ctx, config{idle: 10 * time.Minute, cluster: "c", service: "s"}, s, idle, slog.New(slog.DiscardHandler))
				off := time.Duration(0)
				for time.Since(begin) < 3*time.Hour {
					time.Sleep(time.Minute)
					synctest.Wait()
					if s.desired.Load() == 0 && off == 0 {
						off = time.Since(begin)
					}
				}
				if off < c.after || off > c.after+time.Minute || c.after == 0 && off != 0 {
					t.Errorf("off after %v, want %v", off, c.after)
				}
			})
		})
	}
}
