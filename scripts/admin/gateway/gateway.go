// Package gateway is the operator's command that switches the gateway on and off. It has a package of its own, since the client of
// ECS is a megabyte of a program.
package gateway

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/skystash/skystash/scripts/admin/operator"
)

// Command returns the command.
func Command() operator.Command {
	return operator.Command{Name: "gateway", Short: "switch the gateway on or off, or say how it is: gateway on, off or status", Do: switchGateway}
}

// gatewayService is what the gateway's commands need of ECS's client.
type gatewayService interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// switchGateway carries out gateway on, off and status.
func switchGateway(ctx context.Context, flags *flag.FlagSet, args []string, stdout, stderr io.Writer) error {
	g := gateway{pause: 5 * time.Second}
	flags.StringVar(&g.name, "stack", "SkystashGateway", "name of the gateway's stack")
	count := flags.Int("count", 1, "gateways that `on` switches on")
	flags.DurationVar(&g.patience, "wait", 5*time.Minute, "how long to wait until it is so; 0: not at all")
	endpoint := flags.String("endpoint", "", "another endpoint than that of ECS")
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(stderr, "Usage: gateway on|off|status [flags]\n\n")
		flags.PrintDefaults()
		return flag.ErrHelp
	}
	action := args[0]
	if err := operator.Parse(flags, args[1:], "stack"); err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("loading the AWS configuration: %w", err)
	}
	g.client = ecs.NewFromConfig(cfg, func(o *ecs.Options) {
		if *endpoint != "" {
			o.BaseEndpoint = endpoint
		}
	})
	g.progress = stderr
	switch action {
	case "on":
		if *count < 1 {
			return fmt.Errorf("gateway: -count %d: on means one at least", *count)
		}
		return g.set(ctx, int32(*count)) // #nosec G115 -- ECS refuses what is far less than that
	case "off":
		return g.set(ctx, 0)
	case "status":
		s, err := g.service(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%d of %d gateways run\n", s.RunningCount, s.DesiredCount)
		return nil
	}
	return fmt.Errorf("gateway: %q is none of on, off and status", action)
}

// gateway is the service of a gateway's stack.
type gateway struct {
	client   gatewayService
	name     string // of the cluster and of the service
	patience time.Duration
	pause    time.Duration // between two looks
	progress io.Writer
}

func (g *gateway) service(ctx context.Context) (types.Service, error) {
	out, err := g.client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &g.name, Services: []string{g.name}})
	var missing *types.ClusterNotFoundException
	switch {
	case errors.As(err, &missing), err == nil && len(out.Services) == 0:
		return types.Service{}, fmt.Errorf("gateway: there is no %s in this region: deploy it with -c gatewayHost=<name>, see docs/gateway.md", g.name)
	case err != nil:
		return types.Service{}, fmt.Errorf("gateway: reading how %s is: %w", g.name, err)
	}
	return out.Services[0], nil
}

// set makes so many gateways run, and waits until they do.
func (g *gateway) set(ctx context.Context, count int32) error {
	if _, err := g.service(ctx); err != nil {
		return err
	}
	_, err := g.client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &g.name, Service: &g.name, DesiredCount: aws.Int32(count)})
	if err != nil {
		return fmt.Errorf("gateway: switching %s: %w", g.name, err)
	}
	if g.patience == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	seen := int32(-1)
	for {
		s, err := g.service(ctx)
		if err != nil {
			return err
		}
		if s.RunningCount != seen {
			seen = s.RunningCount
			fmt.Fprintf(g.progress, "%d of %d gateways run\n", seen, count)
		}
		if seen == count {
			return nil
		}
		select {
		case <-time.After(g.pause):
		case <-ctx.Done():
			event := "ECS says nothing"
			if len(s.Events) > 0 {
				event = "ECS says: " + aws.ToString(s.Events[0].Message)
			}
			return fmt.Errorf("gateway: %d of %d run after %v; %s", seen, count, g.patience, event)
		}
	}
}
