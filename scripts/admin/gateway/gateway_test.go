package gateway

import (
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/skystash/skystash/pkg/testenv/motolocal"
	"github.com/skystash/skystash/scripts/admin/operator"
)

func TestGatewayIsSwitched(t *testing.T) {
	endpoint := motolocal.Start(t)
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := ecs.NewFromConfig(cfg, func(o *ecs.Options) { o.BaseEndpoint = &endpoint })
	name := aws.String("SkystashGateway")
	admin := func(args ...string) (string, error) {
		var out strings.Builder
		err := operator.Run(t.Context(), "admin", append([]string{"gateway"}, args...), &out, io.Discard, Command())
		return out.String(), err
	}
	if _, err := admin("on", "-endpoint", endpoint); err == nil || !strings.Contains(err.Error(), "docs/gateway.md") {
		t.Errorf("before it is deployed: %v", err)
	}
	if _, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{Family: aws.String("gateway"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("gateway"), Image: aws.String("gateway"), Memory: aws.Int32(512)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateService(t.Context(), &ecs.CreateServiceInput{Cluster: name, ServiceName: name, TaskDefinition: aws.String("gateway"), DesiredCount: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	desired := func() int32 {
		out, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: name, Services: []string{*name}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Services[0].DesiredCount
	}
	for _, c := range []struct {
		args []string
		want int32
	}{{[]string{"on"}, 1}, {[]string{"on", "-count", "3"}, 3}, {[]string{"off"}, 0}} {
		if _, err := admin(append(c.args, "-endpoint", endpoint, "-wait", "0")...); err != nil {
			t.Fatal(err)
		}
		if got := desired(); got != c.want {
			t.Errorf("gateway %v: %d gateways, want %d", c.args, got, c.want)
		}
	}
	if out, err := admin("status", "-endpoint", endpoint); err != nil || !strings.Contains(out, "of 0 gateways") {
		t.Errorf("status: %q, %v", out, err)
	}
	if _, err := admin(); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("without an action: %v", err)
	}
	for _, wrong := range [][]string{{"maybe", "-endpoint", endpoint}, {"on", "-count", "0", "-endpoint", endpoint}} {
		if _, err := admin(wrong...); err == nil {
			t.Errorf("gateway %v is taken", wrong)
		}
	}
}

// slowService starts its tasks after a time.
type slowService struct {
	desired int32
	ready   time.Time
}

func (s *slowService) DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	service := types.Service{DesiredCount: s.desired, Events: []types.ServiceEvent{{Message: aws.String("no capacity")}}}
	if time.Now().After(s.ready) {
		service.RunningCount = s.desired
	}
	return &ecs.DescribeServicesOutput{Services: []types.Service{service}}, nil
}

func (s *slowService) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	s.desired = *in.DesiredCount
	return &ecs.UpdateServiceOutput{}, nil
}

func TestGatewayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var progress strings.Builder
		g := gateway{client: &slowService{ready: begin.Add(time.Minute)}, name: "g", patience: 5 * time.Minute, pause: 5 * time.Second, progress: &progress}
		if err := g.set(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < time.Minute || took > 70*time.Second {
			t.Errorf("it waited for %v", took)
		}
		if got := progress.String(); got != "0 of 2 gateways run\n2 of 2 gateways run\n" {
			t.Errorf("progress %q", got)
		}
		g.client = &slowService{ready: begin.Add(time.Hour)}
		if err := g.set(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "no capacity") {
			t.Errorf("without capacity: %v", err)
		}
	})
}
